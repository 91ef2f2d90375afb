//! What can be wrong with `fake.rs`.

#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Defect {
    None,
    /// Now and then XADD is acknowledged and forgotten.
    ForgetsEntry,
    /// Now and then XADD is done twice, as after a retry of a commit whose answer was lost.
    AddsTwice,
    /// An id is taken before the entry becomes visible, and others overtake it.
    LateEntry,
    /// Every process has a clock of its own for ids.
    SkewedIds,
    /// The second XADD of an EXEC may get lost.
    SplitExec,
    /// XREADGROUP looks, thinks, and only then moves the group on.
    RacyGroup,
    /// Now and then something delivered is not entered as pending.
    ForgetsPending,
    /// What was delivered to a client that has gone is not pending either.
    LosesWithClient,
    /// Now and then XACK is acknowledged and forgotten.
    ForgetsAck,
    /// XACK counts what was acknowledged before.
    CountsAcksTwice,
    /// XAUTOCLAIM takes what others are working on.
    ClaimsTooSoon,
    /// XAUTOCLAIM overlooks entries.
    ClaimOverlooks,
    /// An XADD does not wake up who sleeps in another process.
    LostWakeUp,
    /// BLOCK ends too early.
    ShortBlock,
    /// BLOCK 0 is no time at all.
    ZeroIsNow,
    /// A client that has gone while it waited is served all the same.
    ServesTheDead,
}

pub const DEFECTS: [Defect; 17] = [
    Defect::None,
    Defect::ForgetsEntry,
    Defect::AddsTwice,
    Defect::LateEntry,
    Defect::SkewedIds,
    Defect::SplitExec,
    Defect::RacyGroup,
    Defect::ForgetsPending,
    Defect::LosesWithClient,
    Defect::ForgetsAck,
    Defect::CountsAcksTwice,
    Defect::ClaimsTooSoon,
    Defect::ClaimOverlooks,
    Defect::LostWakeUp,
    Defect::ShortBlock,
    Defect::ZeroIsNow,
    Defect::ServesTheDead,
];
