//! Seeded breaks: known bugs that the proofs must catch.
//!
//! Built only with `--cfg earmark_seeded`; which bug is on is read once from the environment variable
//! `EARMARK_BREAK`. Without the cfg `on` is a constant `false` and the compiler removes the branch.
//! `cargo xtask test` runs the suite meant for each and demands that it goes red.

/// The bugs that can be switched on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(dead_code, reason = "without the cfg no break is ever constructed from its name")]
pub(crate) enum Break {
    LoadThenStore,
    RelaxedPublish,
    SameGeneration,
    DeadlineRoundedDown,
    WrapOffByOne,
    CapWithoutHold,
    KeyUnclaimed,
    ExpireUnchecked,
    ReleaseTwice,
    ExtendBlind,
    PendingBlind,
    FreeBeforeReturn,
    AdjustUnchecked,
    CartUnordered,
    CartUnmarked,
    HorizonOnce,
    ReplaceBlind,
    StateBlind,
    PageBlind,
    SweepBlind,
    ExpireAtOnce,
    StopTheWorld,
    HotAllocation,
    IdUnchecked,
    CloseBlind,
    SiftLate,
    PlaceLost,
    OwnerBlind,
    CursorLeft,
    SideBlind,
    KeyUnheld,
    PushLate,
    FloorForgotten,
    OverdueLost,
    BoundReadLate,
    BoundReadEarly,
    DueUnwritten,
    FreeRelaxed,
    ReleaseAtOnce,
    CartStopsTheWorld,
    ConfirmStopsTheWorld,
    AdvanceStopsTheWorld,
    NumberTwice,
    LanesUnseen,
    BackTwice,
    RefusedHot,
    TagUnchecked,
    RefillUnmarked,
    CooledTwice,
    ClosedUnpinned,
    OpenedEarly,
    ResidueForgotten,
    NamesHeadFirst,
    NamesEarly,
}

/// Every break with the name that `EARMARK_BREAK` takes. `B` numbers are those of the list of seeded
/// bugs in the contributors' guide; `L` breaks belong to one loom model each.
#[allow(dead_code, reason = "read with the cfg, and by `cargo xtask test`, which scans this table")]
pub(crate) const ALL: &[(&str, Break)] = &[
    ("B8_load_then_store", Break::LoadThenStore),
    ("B9_relaxed_publish", Break::RelaxedPublish),
    ("B10_same_generation", Break::SameGeneration),
    ("B11_deadline_rounded_down", Break::DeadlineRoundedDown),
    ("B12_wrap_off_by_one", Break::WrapOffByOne),
    ("B20_cap_without_hold", Break::CapWithoutHold),
    ("L_key_unclaimed", Break::KeyUnclaimed),
    ("L_expire_unchecked", Break::ExpireUnchecked),
    ("L_release_twice", Break::ReleaseTwice),
    ("L_extend_blind", Break::ExtendBlind),
    ("L_pending_blind", Break::PendingBlind),
    ("L_free_before_return", Break::FreeBeforeReturn),
    ("L_adjust_unchecked", Break::AdjustUnchecked),
    ("L_cart_unordered", Break::CartUnordered),
    ("L_cart_unmarked", Break::CartUnmarked),
    ("L_horizon_once", Break::HorizonOnce),
    ("L_replace_blind", Break::ReplaceBlind),
    ("L_state_blind", Break::StateBlind),
    ("L_page_blind", Break::PageBlind),
    ("L_sweep_blind", Break::SweepBlind),
    ("L_expire_at_once", Break::ExpireAtOnce),
    ("L_stop_the_world", Break::StopTheWorld),
    ("L_hot_allocation", Break::HotAllocation),
    ("L_id_unchecked", Break::IdUnchecked),
    ("L_close_blind", Break::CloseBlind),
    ("L_sift_late", Break::SiftLate),
    ("L_place_lost", Break::PlaceLost),
    ("L_owner_blind", Break::OwnerBlind),
    ("L_cursor_left", Break::CursorLeft),
    ("L_side_blind", Break::SideBlind),
    ("L_key_unheld", Break::KeyUnheld),
    ("L_push_late", Break::PushLate),
    ("L_floor_forgotten", Break::FloorForgotten),
    ("L_overdue_lost", Break::OverdueLost),
    ("L_bound_read_late", Break::BoundReadLate),
    ("L_bound_read_early", Break::BoundReadEarly),
    ("L_due_unwritten", Break::DueUnwritten),
    ("L_free_relaxed", Break::FreeRelaxed),
    ("L_release_at_once", Break::ReleaseAtOnce),
    ("L_cart_stops_the_world", Break::CartStopsTheWorld),
    ("L_confirm_stops_the_world", Break::ConfirmStopsTheWorld),
    ("L_advance_stops_the_world", Break::AdvanceStopsTheWorld),
    ("L_number_twice", Break::NumberTwice),
    ("L_lanes_unseen", Break::LanesUnseen),
    ("L_back_twice", Break::BackTwice),
    ("L_refused_hot", Break::RefusedHot),
    ("L_tag_unchecked", Break::TagUnchecked),
    ("L_refill_unmarked", Break::RefillUnmarked),
    ("L_cooled_twice", Break::CooledTwice),
    ("L_closed_unpinned", Break::ClosedUnpinned),
    ("L_opened_early", Break::OpenedEarly),
    ("L_residue_forgotten", Break::ResidueForgotten),
    ("L_names_head_first", Break::NamesHeadFirst),
    ("L_names_early", Break::NamesEarly),
];

/// Whether this bug is on.
#[cfg(not(earmark_seeded))]
#[inline(always)]
pub(crate) const fn on(_which: Break) -> bool {
    false
}

/// Whether this bug is on.
#[cfg(earmark_seeded)]
pub(crate) fn on(which: Break) -> bool {
    use std::sync::OnceLock;
    static CHOSEN: OnceLock<Option<Break>> = OnceLock::new();
    *CHOSEN.get_or_init(|| {
        let wanted = std::env::var("EARMARK_BREAK").ok()?;
        let found = ALL.iter().find(|(name, _)| *name == wanted);
        assert!(found.is_some(), "EARMARK_BREAK={wanted} names no break of this build");
        found.map(|(_, which)| *which)
    }) == Some(which)
}

/// Whether any bug is on: then it is the tests' turn to notice, not the engine's own assertions'.
#[cfg(not(earmark_seeded))]
#[inline(always)]
pub(crate) const fn any() -> bool {
    false
}

/// Whether any bug is on: then it is the tests' turn to notice, not the engine's own assertions'.
#[cfg(earmark_seeded)]
pub(crate) fn any() -> bool {
    ALL.iter().any(|(_, which)| on(*which))
}

/// For the breaks of the progress tests: one lock around every call of a kind.
pub(crate) fn stop_the_world() -> parking_lot::MutexGuard<'static, ()> {
    static WORLD: parking_lot::Mutex<()> = parking_lot::Mutex::new(());
    WORLD.lock()
}

/// Places inside a call at which the progress test stops a thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// reserve: a slot is claimed and handed to the wheel, no unit taken.
    Claimed,
    /// reserve: units taken, nothing published.
    Taken,
    /// reserve: published.
    Published,
    /// begin_payment: an earlier deadline is set, the wheel does not know of it.
    Moving,
    /// cart: a line is taken and marked.
    CartMidway,
    /// cart: published, the lines still marked.
    CartPublished,
    /// confirm, release: the state has ended, the counters have not moved.
    Ended,
    /// confirm, release: the counters have moved, the slot is not given back.
    Settled,
    /// reserve: units are on their way from the pool of a hot line to a stripe.
    Refilling,
    /// refusal: a stripe of a hot line is about to be closed.
    Closing,
    /// advance: the right to sweep is held.
    Sweeping,
    /// advance: a reservation expired, its units are not back.
    Expired,
}

/// Stops the thread here if the progress test asks for it.
#[cfg(not(all(test, earmark_seeded, not(earmark_loom))))]
#[inline(always)]
pub(crate) fn step(_at: Step) {}

#[cfg(all(test, earmark_seeded, not(earmark_loom)))]
pub(crate) use stopping::{step, stop_this_thread};

#[cfg(all(test, earmark_seeded, not(earmark_loom)))]
mod stopping {
    use std::cell::RefCell;

    use super::Step;

    type Stopper = Box<dyn Fn(Step)>;

    std::thread_local! {
        static STOPPER: RefCell<Option<Stopper>> = const { RefCell::new(None) };
    }

    pub(crate) fn step(at: Step) {
        STOPPER.with_borrow(|stopper| {
            if let Some(stopper) = stopper {
                stopper(at);
            }
        });
    }

    /// From here on this thread tells `stopper` of every step.
    pub(crate) fn stop_this_thread(stopper: impl Fn(Step) + 'static) {
        STOPPER.set(Some(Box::new(stopper)));
    }
}
