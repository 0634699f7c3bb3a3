//! Inboxes of workflows, and names of every kind.

use infinitic_core::names::{ServiceName, WorkflowName};
use infinitic_runtime::cluster::transport::{Reading, Topic};

use crate::bed::{Bed, in_time, inbox, read, send};

pub(crate) async fn first_number_stays(bed: &Bed) {
    let transport = bed.connect();
    let (one, two) = (bed.workflow(), bed.workflow());
    assert_eq!(in_time(transport.inboxes(&one, 4)).await, Ok(4));
    assert_eq!(in_time(transport.inboxes(&one, 9)).await, Ok(4));
    let other = bed.connect();
    assert_eq!(in_time(other.inboxes(&one, 2)).await, Ok(4));
    assert_eq!(in_time(other.inboxes(&two, 1)).await, Ok(1));
    let names = in_time(transport.workflows()).await.expect("a list");
    assert!(names.contains(&one) && names.contains(&two));
}

pub(crate) async fn many_at_once_agree(bed: &Bed) {
    let workflow = bed.workflow();
    let mut asked = tokio::task::JoinSet::new();
    for wanted in [3, 5, 7, 9] {
        let (transport, workflow) = (bed.connect(), workflow.clone());
        asked.spawn(async move { transport.inboxes(&workflow, wanted).await });
    }
    let mut answers = in_time(asked.join_all()).await;
    answers.dedup();
    assert_eq!(answers.len(), 1, "{answers:?}");
    assert!([3, 5, 7, 9].map(Ok).contains(&answers[0]));
}

pub(crate) async fn any_name_goes(bed: &Bed) {
    let transport = bed.connect();
    let own = bed.workflow();
    let long = "ß".repeat(75);
    for special in [
        "Überweisung",
        "注文",
        "a b",
        "a%2Fb",
        "a:b?c#d",
        "🚚",
        "x-partition-3",
        &long,
    ] {
        let name = format!("{special}{own}");
        let workflow = WorkflowName::parse(&name).expect("a name");
        assert_eq!(in_time(transport.inboxes(&workflow, 2)).await, Ok(2));
        let service = ServiceName::parse(&name).expect("a name");
        let ways = [
            (inbox(&workflow, 1), Reading::Alone { rank: 1 }),
            (Topic::Tasks(service), Reading::Shared),
            (Topic::Turns(workflow.clone(), 3), Reading::Shared),
            (Topic::Replies(name.clone()), Reading::Alone { rank: 0 }),
        ];
        for (topic, reading) in ways {
            let mut reads = read(&*transport, &topic, reading).await;
            send(&*transport, &topic, &name).await;
            assert_eq!(reads.settle(1).await, [name.as_str()]);
            reads.close().await;
        }
        let names = in_time(transport.workflows()).await.expect("a list");
        assert!(names.contains(&workflow), "{name} in {names:?}");
    }
}
