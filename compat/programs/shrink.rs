//! Makes a program smaller for as long as it still tells the servers apart.

use super::check::Difference;
use super::play::Program;

type Found = (Program, Difference);

pub fn shrink(
    program: Program,
    difference: Difference,
    differs: impl Fn(&Program) -> Result<Option<Difference>, String>,
) -> Result<Found, String> {
    let mut best = (program, difference);
    loop {
        let before = size(&best.0);
        fewer_steps(&mut best, &differs)?;
        plainer(&mut best, &differs)?;
        shorter_arguments(&mut best, &differs)?;
        if size(&best.0) == before {
            return Ok(best);
        }
    }
}

fn size(program: &Program) -> usize {
    let of_step = |step: &super::play::Step| {
        100 + 10 * usize::from(step.pipelined) + step.args.iter().map(|arg| 2 + arg.len()).sum::<usize>()
    };
    program.steps.iter().map(of_step).sum()
}

fn keep_if_smaller(
    best: &mut Found,
    candidate: Program,
    differs: &impl Fn(&Program) -> Result<Option<Difference>, String>,
) -> Result<bool, String> {
    let steps = candidate.steps.len();
    let candidate = candidate.without_known_differences();
    if candidate.steps.len() < steps {
        return Ok(false);
    }
    if let Some(difference) = differs(&candidate)? {
        *best = (candidate, difference);
        return Ok(true);
    }
    Ok(false)
}

/// Leaves out ever smaller runs of steps.
fn fewer_steps(
    best: &mut Found,
    differs: &impl Fn(&Program) -> Result<Option<Difference>, String>,
) -> Result<(), String> {
    let mut length = best.0.steps.len() / 2;
    while length > 0 {
        let mut end = best.0.steps.len();
        while end > 0 {
            let start = end.saturating_sub(length);
            let mut candidate = best.0.clone();
            candidate.steps.drain(start..end);
            keep_if_smaller(best, candidate, differs)?;
            end = start;
        }
        length /= 2;
    }
    Ok(())
}

/// One connection, no pipelines, RESP2, where that is enough.
fn plainer(
    best: &mut Found,
    differs: &impl Fn(&Program) -> Result<Option<Difference>, String>,
) -> Result<(), String> {
    let changes: [fn(&mut Program); 3] = [
        |program| program.steps.iter_mut().for_each(|step| step.pipelined = false),
        |program| program.steps.iter_mut().for_each(|step| step.connection = 0),
        |program| program.resp = 2,
    ];
    for change in changes {
        let mut candidate = best.0.clone();
        change(&mut candidate);
        keep_if_smaller(best, candidate, differs)?;
    }
    Ok(())
}

fn shorter_arguments(
    best: &mut Found,
    differs: &impl Fn(&Program) -> Result<Option<Difference>, String>,
) -> Result<(), String> {
    for step in 0..best.0.steps.len() {
        let mut at = best.0.steps[step].args.len();
        while at > 1 {
            at -= 1;
            let mut without = best.0.clone();
            without.steps[step].args.remove(at);
            if keep_if_smaller(best, without, differs)? {
                continue;
            }
            let arg = best.0.steps[step].args[at].clone();
            // No small number in place of a large one: it might be a time, and the difference only its passing.
            let number = arg.iter().all(u8::is_ascii_digit);
            let simple: [&[u8]; 4] = [b"", b"a", &arg[..arg.len() / 2], &arg[arg.len() / 2..]];
            for simpler in simple
                .into_iter()
                .take(if number { 2 } else { 4 })
                .filter(|simpler| simpler.len() < arg.len())
            {
                let mut candidate = best.0.clone();
                candidate.steps[step].args[at] = simpler.to_vec();
                if keep_if_smaller(best, candidate, differs)? {
                    break;
                }
            }
        }
    }
    Ok(())
}
