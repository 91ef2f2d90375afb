//! `respg export`: Postgres's keys to a Redis.

use super::base::Base;
use super::options::ExportOptions;
use super::progress::Progress;
use super::side::{Place, Target};
use super::transfer::{Keeper, Position, Summary, Walk, transfer};
use super::{MigrateError, say};
use crate::copy::{Follower, Redis};
use crate::state::{Mode, Patterns};

/// Copies; whether everything there was.
pub async fn run(options: ExportOptions) -> Result<bool, MigrateError> {
    let redis = Redis::open(options.scope.redis(&options.config)?).await?;
    let base = Base::open(options.config).await?;
    let mode = base.rule().await?.mode;
    let follower = Follower::find(&base.foundation().process().store).await?;
    let is_another = |follower: Follower| redis.run_id().is_some_and(|own| own != follower.run_id);
    let elsewhere = mode == Mode::Shadow && follower.is_some_and(is_another);
    if mode != Mode::Postgres && !elsewhere {
        // What clients write there meanwhile would be replaced by what they have written before.
        let why = format!("the mode is {}: export is for when Postgres answers alone", mode.name());
        return Err(MigrateError::Other(why));
    }
    if !elsewhere {
        base.prevent_changes("respg export is writing");
    }
    let sizes = base.sizes().await?;
    let asked = options.scope.databases(redis.url());
    let wanted = if asked.is_empty() { sizes.keys().copied().collect() } else { asked };
    let total = wanted.iter().filter_map(|db| sizes.get(db)).sum();
    let mut progress = Progress::new("export", total);
    let (source, target) = (Place::Postgres(base.executor.clone()), Place::Redis(redis));
    let to = Target::Place(&target);
    let mut all = Summary::default();
    for db in wanted {
        let walk = Walk { db, pattern: options.scope.pattern.as_deref(), moved: &Patterns::default() };
        all.add(transfer((&source, &to), walk, None, &mut progress, &mut Forgetful).await?);
    }
    // Another one, started meanwhile, need not have what was written.
    target.open().await?;
    let took = progress.finish();
    say(format_args!("exported {} keys in {:.1} s", all.copied, took.as_secs_f64()));
    all.describe().iter().for_each(say);
    base.close().await?;
    Ok(all.is_complete())
}

/// An export that is interrupted begins anew.
struct Forgetful;

impl Keeper for Forgetful {
    async fn keep(&mut self, _: Position<'_>) {}
}
