//! Where a reservation stands while it lives, and how it ends: the words that callers see.

/// How a reservation ended.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.release(id)?;
/// let Err(ConfirmError::Ended { end, .. }) = inventory.confirm(id) else { panic!("it was released") };
/// assert_eq!((end, end.to_string().as_str()), (End::Released, "released"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum End {
    /// Confirmed, whole or in part: its units are committed to an order.
    Confirmed,
    /// Given back by its holder.
    Released,
    /// Its time was up.
    Expired,
    /// Its owner replaced it by another.
    Replaced,
    /// It had expired; a late payment took the units again (`confirm_or_reacquire`).
    Reacquired,
}

impl std::fmt::Display for End {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Confirmed => "confirmed",
            Self::Released => "released",
            Self::Expired => "expired",
            Self::Replaced => "replaced",
            Self::Reacquired => "reacquired",
        })
    }
}

/// Where a live reservation stands.
///
/// ```
/// # use earmark::*; let inventory = Inventory::new(); let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// inventory.begin_payment(id)?;
/// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Live(Phase::Paying)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum Phase {
    /// Units are set aside; no payment runs.
    Reserved,
    /// A payment runs, under a short deadline of its own.
    Paying,
    /// The payment's outcome is unknown, under a long deadline.
    PaymentPending,
    /// A person decides; no deadline.
    InReview,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Reserved => "reserved",
            Self::Paying => "paying",
            Self::PaymentPending => "payment_pending",
            Self::InReview => "in_review",
        })
    }
}

/// What happens to a payment whose outcome is still unknown when its long deadline comes.
///
/// ```
/// # use earmark::*; let clock = ManualClock::default();
/// # let inventory = Inventory::builder().clock(clock.clone()).build()?;
/// # let tee = inventory.declare(LineSpec::new("TEE"))?;
/// # inventory.receive(tee, Quantity::ONE, &Cause::none())?;
/// # let id = inventory.reserve(tee, Quantity::ONE, Ttl::minutes(5)?)?.detach();
/// let until = inventory.payment_pending(id)?;
/// clock.set(until); // the outcome is still unknown
/// assert_eq!(PendingPolicy::default(), PendingPolicy::Release);
/// assert_eq!(inventory.get(id).map(|found| found.state), Some(State::Ended(End::Expired)));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize, serde::Deserialize), serde(rename_all = "snake_case"))]
#[non_exhaustive]
pub enum PendingPolicy {
    /// The reservation expires and its units go back.
    #[default]
    Release,
    /// It waits, without a deadline, for a person: `reviews`, `resolve_reviews`.
    Review,
}
