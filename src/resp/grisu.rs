//! Hot path: the decimal digits of a double by Grisu2, as fpconv (which Redis uses since 7.2) does it. In one of a
//! thousand cases it finds one digit more than needed or not the closest of the shortest; so must we.

/// A number `mantissa * 2^exponent`.
#[derive(Clone, Copy)]
struct Float {
    mantissa: u64,
    exponent: i32,
}

pub const MAX_DIGITS: usize = 18;
const HIDDEN_BIT: u64 = 1 << 52;
const FIRST_POWER: i32 = -348;
const POWER_STEP: i32 = 8;

/// Digits of the positive, finite `value` and their power of ten: `value` is `digits * 10^scale`.
pub fn digits(value: f64, digits: &mut [u8; MAX_DIGITS]) -> (&[u8], i32) {
    let raw = Float::from_bits(value.to_bits());
    let (lower, upper) = raw.boundaries();
    let (power, scale) = cached_power(upper.exponent);
    let exact = raw.normalized().times(power);
    let mut lower = lower.times(power);
    let mut upper = upper.times(power);
    lower.mantissa += 1;
    upper.mantissa -= 1;
    let (count, kappa) = generate(exact, lower, upper, digits);
    (&digits[..count], kappa - scale)
}

impl Float {
    fn from_bits(bits: u64) -> Self {
        let fraction = bits & (HIDDEN_BIT - 1);
        match (bits >> 52 & 0x7ff) as i32 {
            0 => Self { mantissa: fraction, exponent: -1074 },
            exponent => Self { mantissa: fraction | HIDDEN_BIT, exponent: exponent - 1075 },
        }
    }

    fn normalized(self) -> Self {
        let shift = self.mantissa.leading_zeros();
        Self { mantissa: self.mantissa << shift, exponent: self.exponent - shift as i32 }
    }

    /// The middles between this number and its neighbours, with the same exponent.
    fn boundaries(self) -> (Self, Self) {
        let upper = Self { mantissa: self.mantissa * 2 + 1, exponent: self.exponent - 1 }.normalized();
        let shift = if self.mantissa == HIDDEN_BIT { 2 } else { 1 };
        let lower = (self.mantissa << shift) - 1;
        let lower = lower << (self.exponent - shift - upper.exponent);
        (Self { mantissa: lower, exponent: upper.exponent }, upper)
    }

    fn times(self, other: Self) -> Self {
        let product = u128::from(self.mantissa) * u128::from(other.mantissa) + (1 << 63);
        Self { mantissa: (product >> 64) as u64, exponent: self.exponent + other.exponent + 64 }
    }
}

/// A power of ten that brings `exponent` between -60 and -32, and which one it is.
fn cached_power(exponent: i32) -> (Float, i32) {
    let approximate = (f64::from(-(exponent + POWERS.len() as i32)) * 0.301_029_995_663_981_14) as i32;
    let mut index = (approximate - FIRST_POWER) / POWER_STEP;
    loop {
        let scale = FIRST_POWER + index * POWER_STEP;
        let power = Float { mantissa: POWERS[index as usize], exponent: ((scale * 217_706) >> 16) - 63 };
        match exponent + power.exponent + 64 {
            ..-60 => index += 1,
            -60..=-32 => return (power, scale),
            _ => index -= 1,
        }
    }
}

/// Fills in digits until they tell the number from its neighbours; returns their count and the power of ten of the last.
fn generate(exact: Float, lower: Float, upper: Float, digits: &mut [u8; MAX_DIGITS]) -> (usize, i32) {
    let distance = upper.mantissa - exact.mantissa;
    let mut delta = upper.mantissa - lower.mantissa;
    let shift = -upper.exponent;
    let one = 1u64 << shift;
    let mut whole = upper.mantissa >> shift;
    let mut part = upper.mantissa & (one - 1);
    let mut count = 0;
    let push = |digits: &mut [u8; MAX_DIGITS], digit: u64, count: &mut usize| {
        if digit > 0 || *count > 0 {
            digits[*count] = b'0' + digit as u8;
            *count += 1;
        }
    };
    for kappa in (0..10).rev() {
        let divisor = 10u64.pow(kappa);
        push(digits, whole / divisor, &mut count);
        whole %= divisor;
        let rest = (whole << shift) + part;
        if rest <= delta {
            round_last(&mut digits[count - 1], delta, rest, divisor << shift, distance);
            return (count, kappa as i32);
        }
    }
    let mut unit = 1u64;
    let mut kappa = 0;
    loop {
        part *= 10;
        delta *= 10;
        unit *= 10;
        kappa -= 1;
        push(digits, part >> shift, &mut count);
        part &= one - 1;
        if part < delta {
            round_last(&mut digits[count - 1], delta, part, one, distance.wrapping_mul(unit));
            return (count, kappa);
        }
    }
}

/// Lowers the last digit while that comes closer to the exact number.
fn round_last(digit: &mut u8, delta: u64, mut rest: u64, step: u64, exact: u64) {
    while rest < exact && delta - rest >= step && (rest + step < exact || exact - rest > rest + step - exact)
    {
        *digit -= 1;
        rest += step;
    }
}

/// Mantissas of 10^-348, 10^-340, ... 10^340.
#[rustfmt::skip]
const POWERS: [u64; 87] = [
    0xfa8fd5a0081c0288, 0xbaaee17fa23ebf76, 0x8b16fb203055ac76, 0xcf42894a5dce35ea,
    0x9a6bb0aa55653b2d, 0xe61acf033d1a45df, 0xab70fe17c79ac6ca, 0xff77b1fcbebcdc4f,
    0xbe5691ef416bd60c, 0x8dd01fad907ffc3c, 0xd3515c2831559a83, 0x9d71ac8fada6c9b5,
    0xea9c227723ee8bcb, 0xaecc49914078536d, 0x823c12795db6ce57, 0xc21094364dfb5637,
    0x9096ea6f3848984f, 0xd77485cb25823ac7, 0xa086cfcd97bf97f4, 0xef340a98172aace5,
    0xb23867fb2a35b28e, 0x84c8d4dfd2c63f3b, 0xc5dd44271ad3cdba, 0x936b9fcebb25c996,
    0xdbac6c247d62a584, 0xa3ab66580d5fdaf6, 0xf3e2f893dec3f126, 0xb5b5ada8aaff80b8,
    0x87625f056c7c4a8b, 0xc9bcff6034c13053, 0x964e858c91ba2655, 0xdff9772470297ebd,
    0xa6dfbd9fb8e5b88f, 0xf8a95fcf88747d94, 0xb94470938fa89bcf, 0x8a08f0f8bf0f156b,
    0xcdb02555653131b6, 0x993fe2c6d07b7fac, 0xe45c10c42a2b3b06, 0xaa242499697392d3,
    0xfd87b5f28300ca0e, 0xbce5086492111aeb, 0x8cbccc096f5088cc, 0xd1b71758e219652c,
    0x9c40000000000000, 0xe8d4a51000000000, 0xad78ebc5ac620000, 0x813f3978f8940984,
    0xc097ce7bc90715b3, 0x8f7e32ce7bea5c70, 0xd5d238a4abe98068, 0x9f4f2726179a2245,
    0xed63a231d4c4fb27, 0xb0de65388cc8ada8, 0x83c7088e1aab65db, 0xc45d1df942711d9a,
    0x924d692ca61be758, 0xda01ee641a708dea, 0xa26da3999aef774a, 0xf209787bb47d6b85,
    0xb454e4a179dd1877, 0x865b86925b9bc5c2, 0xc83553c5c8965d3d, 0x952ab45cfa97a0b3,
    0xde469fbd99a05fe3, 0xa59bc234db398c25, 0xf6c69a72a3989f5c, 0xb7dcbf5354e9bece,
    0x88fcf317f22241e2, 0xcc20ce9bd35c78a5, 0x98165af37b2153df, 0xe2a0b5dc971f303a,
    0xa8d9d1535ce3b396, 0xfb9b7cd9a4a7443c, 0xbb764c4ca7a44410, 0x8bab8eefb6409c1a,
    0xd01fef10a657842c, 0x9b10a4e5e9913129, 0xe7109bfba19c0c9d, 0xac2820d9623bf429,
    0x80444b5e7aa7cf85, 0xbf21e44003acdd2d, 0x8e679c2f5e44ff8f, 0xd433179d9c8cb841,
    0x9e19db92b4e31ba9, 0xeb96bf6ebadf77d9, 0xaf87023b9bf0ee6b,
];
