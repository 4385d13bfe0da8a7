//! The engine's answers in the judge's words.

use earmark::{End, ReservationId, ReserveError, Snapshot};
use earmark_testkit::Final;
use earmark_testkit::history::{Ended, Id, Outcome, Short};

/// A refused reserve, for the judge.
pub(crate) fn refusal(error: &ReserveError) -> Outcome {
    match error {
        ReserveError::Insufficient { line, available, .. } => {
            Outcome::short(line.index() as u32, u64::from(*available))
        }
        ReserveError::OutOfStock { line, .. } => Outcome::short(line.index() as u32, 0),
        ReserveError::CartShort { short } => {
            let short = short
                .iter()
                .map(|item| Short { line: item.line.index() as u32, available: Some(item.available.into()) });
            Outcome::Insufficient(short.collect())
        }
        ReserveError::Contended { .. } => Outcome::Contended,
        _ => Outcome::Refused,
    }
}

/// Whether it was refused for want of units.
pub(crate) fn sold_out(error: &ReserveError) -> bool {
    matches!(
        error,
        ReserveError::Insufficient { .. } | ReserveError::OutOfStock { .. } | ReserveError::CartShort { .. }
    )
}

/// The judge's name of an end. What was taken anew for a late payment had expired.
pub(crate) fn told(end: End) -> Outcome {
    Outcome::AlreadyEnded(match end {
        End::Confirmed => Ended::Confirmed,
        End::Released => Ended::Released,
        End::Replaced => Ended::Replaced,
        _ => Ended::Expired,
    })
}

/// The judge's form of an id.
pub(crate) fn id(id: ReservationId) -> Id {
    Id::from(id.to_bits())
}

/// What was found at rest, for the judge to compare.
pub(crate) fn finals(snapshot: &Snapshot, at_ns: u64) -> Vec<Final> {
    let finals = snapshot.lines.iter().map(|levels| Final {
        line: levels.line.index() as u32,
        at_ns,
        on_hand: levels.on_hand.into(),
        available: levels.available.into(),
        reserved: levels.reserved.into(),
        committed: levels.committed.into(),
        blocked: u64::from(levels.blocked) + u64::from(levels.safety_stock),
    });
    finals.collect()
}
