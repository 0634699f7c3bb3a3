//! Waiting for several things: `any` and `all`. Deterministic: polled in the given order, whatever
//! woke.

use std::future::{Future, IntoFuture};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A collection's future with its place.
type Slot<F> = Option<Pin<Box<F>>>;

/// Waits for the first that ends well: `(its place, its value)`. When all fail, the last failure.
/// The others are dropped then, which cancels the calls among them that were not dispatched.
///
/// # Panics
/// When the collection is empty: nothing could ever end.
///
/// ```ignore
/// let (index, quote) = any([a.quote(item), b.quote(item)]).await?;
/// ```
pub async fn any<I, T, E>(futures: I) -> Result<(usize, T), E>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    let mut slots: Vec<Slot<_>> = futures
        .into_iter()
        .map(|f| Some(Box::pin(f.into_future())))
        .collect();
    assert!(
        !slots.is_empty(),
        "any() of nothing would never end: give it at least one future"
    );
    std::future::poll_fn(move |context| poll_any(&mut slots, context)).await
}

fn poll_any<F, T, E>(
    slots: &mut [Slot<F>],
    context: &mut Context<'_>,
) -> Poll<Result<(usize, T), E>>
where
    F: Future<Output = Result<T, E>>,
{
    for index in 0..slots.len() {
        let Some(future) = &mut slots[index] else {
            continue;
        };
        let Poll::Ready(result) = future.as_mut().poll(context) else {
            continue;
        };
        slots[index] = None;
        match result {
            Ok(value) => return Poll::Ready(Ok((index, value))),
            Err(failure) if slots.iter().all(Option::is_none) => return Poll::Ready(Err(failure)),
            Err(_) => {}
        }
    }
    Poll::Pending
}

/// Waits for all: their values in the given order, or the first failure. The others are dropped
/// then.
///
/// ```ignore
/// let sizes = all(images.iter().map(|image| resizer.resize(image.clone()))).await?;
/// ```
pub async fn all<I, T, E>(futures: I) -> Result<Vec<T>, E>
where
    I: IntoIterator,
    I::Item: IntoFuture<Output = Result<T, E>>,
{
    let mut gathering = Gathering::new(futures.into_iter().map(IntoFuture::into_future));
    std::future::poll_fn(move |context| gathering.poll(context)).await
}

/// Futures of which many are pending at once. Each has a waker of its own, so that a wake costs the
/// poll of one, not of all: a thousand tasks cost a thousand polls, not half a million.
struct Gathering<F, T> {
    slots: Vec<Slot<F>>,
    values: Vec<Option<T>>,
    left: usize,
    woken: std::sync::Arc<Woken>,
    wakers: Vec<std::task::Waker>,
}

/// Which members were woken, in order of their places, and who waits for the whole.
#[derive(Default)]
struct Woken(std::sync::Mutex<(std::collections::BTreeSet<usize>, Option<std::task::Waker>)>);

struct MemberWaker {
    index: usize,
    woken: std::sync::Arc<Woken>,
}

impl Woken {
    fn lock(
        &self,
    ) -> std::sync::MutexGuard<'_, (std::collections::BTreeSet<usize>, Option<std::task::Waker>)>
    {
        self.0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl std::task::Wake for MemberWaker {
    fn wake(self: std::sync::Arc<Self>) {
        let waker = {
            let mut woken = self.woken.lock();
            woken.0.insert(self.index);
            woken.1.clone()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

impl<F, T, E> Gathering<F, T>
where
    F: Future<Output = Result<T, E>>,
{
    fn new(futures: impl Iterator<Item = F>) -> Self {
        let slots: Vec<Slot<F>> = futures.map(|future| Some(Box::pin(future))).collect();
        let woken = std::sync::Arc::new(Woken::default());
        woken.lock().0.extend(0..slots.len());
        let wakers = (0..slots.len())
            .map(|index| {
                let woken = std::sync::Arc::clone(&woken);
                std::task::Waker::from(std::sync::Arc::new(MemberWaker { index, woken }))
            })
            .collect();
        let values = slots.iter().map(|_| None).collect();
        Self {
            left: slots.len(),
            slots,
            values,
            woken,
            wakers,
        }
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Vec<T>, E>> {
        self.woken.lock().1 = Some(context.waker().clone());
        loop {
            let next = self.woken.lock().0.pop_first();
            let Some(index) = next else { break };
            let Some(future) = &mut self.slots[index] else {
                continue;
            };
            let mut member = Context::from_waker(&self.wakers[index]);
            let Poll::Ready(result) = future.as_mut().poll(&mut member) else {
                continue;
            };
            self.slots[index] = None;
            self.left -= 1;
            match result {
                Ok(value) => self.values[index] = Some(value),
                Err(failure) => {
                    self.slots.clear();
                    return Poll::Ready(Err(failure));
                }
            }
        }
        if self.left > 0 {
            return Poll::Pending;
        }
        let values = std::mem::take(&mut self.values);
        Poll::Ready(Ok(values.into_iter().flatten().collect()))
    }
}
