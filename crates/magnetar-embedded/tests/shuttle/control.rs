//! Tests of the test: with a bug planted, the same scenarios fail.

use libtest_mimic::Trial;

use crate::{explore::control, scenario, sync};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        control("control_claim_that_is_not_given_back_is_found", "held by nobody", scenario::callers_that_forget),
        control("control_wake_that_is_lost_is_found", "deadlock", || {
            sync::lose_wakes(true);
            scenario::callers_that_drop();
        }),
        control("control_group_that_gets_the_answer_of_another_is_found", "its own answer", scenario::answers_mixed_up),
    ]
}
