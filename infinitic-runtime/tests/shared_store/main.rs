//! What every shared store must do: one list of tests, one body for all stores.
//!
//! The store in memory is always tested. A database is tested when its variable holds a URL
//! (`INFINITIC_POSTGRES_URL`, `INFINITIC_MYSQL_URL`, `INFINITIC_REDIS_URL`) and its feature is
//! built; otherwise its tests say that they were left out. Each test works in tables of its own,
//! and removes them when it has passed.
#![allow(clippy::unwrap_used)]

mod chains;
mod claims;
mod fences;
mod lab;
mod members;
#[cfg(feature = "mysql")]
mod on_mysql;
#[cfg(feature = "postgres")]
mod on_postgres;
mod reads;
mod sizes;
mod stress;
mod writes;

/// Makes a test of each function, for one backend.
macro_rules! backend {
    ($backend:ident: $($list:ident { $($test:ident,)* })*) => {
        mod $backend {
            $(mod $list {
                $(
                    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                    async fn $test() {
                        let kind = crate::lab::Kind::$backend;
                        if let Some(lab) = crate::lab::Lab::of(kind) {
                            crate::$list::$test(&lab).await;
                            lab.erase().await;
                        }
                    }
                )*
            })*
        }
    };
}

/// The list, for each backend.
macro_rules! backends {
    ($($backend:ident)*) => {
        $(backend! { $backend:
            members {
                partitions_are_made_once,
                a_beat_tells_how_the_fleet_stands,
                a_lease_runs_out_by_the_clock_of_the_store,
                who_leaves_is_gone_at_once,
                names_are_told_apart_byte_by_byte,
            }
            claims {
                each_claim_has_a_higher_epoch,
                one_of_many_wins,
                a_living_owner_is_left_alone,
                a_lapsed_owner_is_replaced,
                a_repeated_claim_learns_the_same,
                a_released_partition_is_free,
                a_release_of_an_old_epoch_changes_nothing,
                an_unknown_partition_cannot_be_claimed,
            }
            writes {
                rows_come_back,
                several_partitions_are_written_at_once,
                the_last_op_of_a_key_counts,
                removing_what_is_not_there_is_fine,
                nothing_is_written_for_nothing,
                partitions_and_tables_are_apart,
                a_purged_instance_leaves_nothing,
                costs_are_counted,
            }
            chains {
                a_wrong_predecessor_loses,
                a_second_first_row_loses,
                a_gap_loses,
                a_row_that_is_there_loses,
                a_loser_keeps_the_others,
                the_rows_of_a_long_history_follow_each_other,
            }
            fences {
                an_old_epoch_writes_nothing,
                an_old_epoch_keeps_the_others,
                a_claim_between_two_writes_stops_the_second,
                a_released_epoch_writes_nothing,
                an_unknown_partition_is_not_owned,
                the_same_commits_may_be_written_again,
                losers_of_a_repeated_commit_are_the_same,
                a_repeated_commit_counts_after_a_claim,
                a_late_copy_of_an_older_commit_changes_nothing,
                copies_that_race_write_once,
                after_a_claim_nothing_of_the_old_owner_appears,
            }
            reads {
                pages_end_where_they_should,
                pages_of_histories_end_where_they_should,
                keys_are_any_bytes,
                histories_come_in_order,
                other_handles_see_the_same,
            }
            sizes {
                large_values_come_back,
                ten_thousand_rows_in_one_write,
                keys_may_be_long,
            }
            stress {
                chains_stay_whole_under_four_members,
            }
        })*
    };
}

backends! { memory postgres mysql redis }
