//! What every transport must do: one list, run on each of them.
//!
//! The broker in this process is always tested. A Pulsar is when `INFINITIC_PULSAR_URL` and
//! `INFINITIC_PULSAR_ADMIN_URL` say where there is one, and the feature `pulsar` is on.

mod bed;
mod list;
mod memory;

/// Runs each case on each transport.
macro_rules! cases {
    ($($group:ident: $($case:ident),+;)+) => {
        mod on_memory {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::list::$group::$case(&crate::bed::memory()).await;
                }
            )+)+
        }
        #[cfg(feature = "pulsar")]
        mod on_pulsar {
            $($(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    if let Some(bed) = crate::bed::pulsar(stringify!($case)).await {
                        crate::list::$group::$case(&bed).await;
                    }
                }
            )+)+
        }
    };
}

cases! {
    sending: keeps_order, refuses_what_is_too_large, takes_empty_messages, counts,
        ends_when_closed, sends_from_many_tasks;
    alone: goes_on_where_the_last_one_ended, forgets_nothing_when_dropped,
        higher_rank_takes_over, lower_rank_waits, falls_back_when_the_higher_leaves,
        each_inbox_is_its_own;
    shared: waits_for_its_first_reader, each_message_once, goes_to_another_when_one_is_gone,
        comes_again_when_given_back, hosts_apart, full_readers_leave_it_to_others;
    everybody: all_hear_it, without_memory;
    personal: answers_arrive, nothing_stays_after_close, nobody_there_is_no_trouble,
        members_hear_each_other;
    reading: stays_within_its_window, stays_within_its_bytes, gives_what_is_there,
        dropped_waits_lose_nothing, acknowledges_from_elsewhere;
    inboxes: first_number_stays, many_at_once_agree, any_name_goes;
    dead: are_kept_and_listed, go_back_once, of_every_topic;
}
