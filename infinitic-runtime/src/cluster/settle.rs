//! What is owed to the broker: acknowledgements, given once what a message led to is safe.

use std::sync::Arc;

use super::transport::Acknowledge;

/// One message that is to be acknowledged.
#[derive(Clone, Debug)]
pub(crate) struct Settle {
    pub(crate) acknowledger: Arc<dyn Acknowledge>,
    pub(crate) tag: u64,
}

/// Acknowledges messages, those of one reader at once.
pub(crate) fn settle(settles: Vec<Settle>) {
    by_reader(settles, |reader, tags| reader.acknowledge(tags));
}

/// Lets messages be delivered again.
pub(crate) fn give_back(settles: Vec<Settle>) {
    by_reader(settles, |reader, tags| reader.give_back(tags));
}

fn by_reader(settles: Vec<Settle>, with: impl Fn(&dyn Acknowledge, &[u64])) {
    let mut groups: Vec<(Arc<dyn Acknowledge>, Vec<u64>)> = Vec::new();
    for Settle { acknowledger, tag } in settles {
        match groups
            .iter_mut()
            .find(|(known, _)| Arc::ptr_eq(known, &acknowledger))
        {
            Some((_, tags)) => tags.push(tag),
            None => groups.push((acknowledger, vec![tag])),
        }
    }
    for (reader, tags) in groups {
        with(&*reader, &tags);
    }
}
