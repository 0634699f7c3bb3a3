//! Services in all their forms, what crosses between caller and task, and names on the wire.

use std::collections::BTreeMap;

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::env::{Env, assert_says, failed};

on_all_backends! {
    a_trait_is_implemented_elsewhere,
    an_inherent_impl_is_contract_and_implementation,
    a_function_is_a_service,
    an_implementation_may_be_generic,
    one_value_hosts_several_contracts,
    names_are_what_callers_and_tasks_share,
    arguments_and_results_are_whatever_serde_takes,
    newer_callers_and_older_tasks_understand_each_other,
}

/// What callers know: nothing of any implementation.
mod contract {
    use infinitic::prelude::*;

    /// Adds up.
    #[service]
    pub(super) trait Sums {
        /// Two numbers.
        async fn add(&self, left: i64, right: i64) -> i64;
        /// Divides.
        async fn divide(&self, left: i64, right: i64) -> Result<i64, std::num::TryFromIntError>;
    }

    #[workflow]
    pub(super) async fn sums(left: i64, right: i64) -> Result<(i64, i64)> {
        let sums = new_service::<SumsStub>();
        let sum = sums.add(left, right).await?;
        Ok((sum, sums.divide(sum, right).await?))
    }
}

struct Abacus;

#[service]
impl contract::Sums for Abacus {
    async fn add(&self, left: i64, right: i64) -> i64 {
        left + right
    }

    async fn divide(&self, left: i64, right: i64) -> Result<i64, std::num::TryFromIntError> {
        let right = u32::try_from(right)?;
        Ok(left / i64::from(right))
    }
}

async fn a_trait_is_implemented_elsewhere(env: &Env) {
    // An ordinary implementation of an ordinary trait, for an ordinary unit test.
    assert_eq!(contract::Sums::add(&Abacus, 2, 2).await, 4);
    let host = |worker: Worker| worker.service(Abacus).workflow(contract::sums);
    env.run(host, async |client| {
        let sums = client.new_workflow::<contract::sums>();
        assert_eq!(sums.sums(10, 5).await.unwrap(), (15, 3));
        assert_says(failed(sums.sums(10, -5).await), &["out of range"]);
    })
    .await;
}

struct Counter {
    first: u32,
}

#[service]
impl Counter {
    async fn count(&self, to: u32) -> Vec<u32> {
        (self.first..=to).map(|number| self.keep(number)).collect()
    }

    fn keep(&self, number: u32) -> u32 {
        number.max(self.first)
    }
}

#[workflow]
async fn counts(to: u32) -> Result<Vec<u32>> {
    Ok(new_service::<CounterStub>().count(to).await?)
}

async fn an_inherent_impl_is_contract_and_implementation(env: &Env) {
    assert_eq!(Counter { first: 1 }.count(2).await, [1, 2]);
    let host = |worker: Worker| worker.service(Counter { first: 3 }).workflow(counts);
    env.run(host, async |client| {
        let counted = client.new_workflow::<counts>().counts(6).await;
        assert_eq!(counted.unwrap(), [3, 4, 5, 6]);
    })
    .await;
}

#[service]
async fn shout(text: String, times: usize) -> Result<String> {
    Ok(text.to_uppercase().repeat(times))
}

#[workflow]
async fn shouts(text: String) -> Result<String> {
    Ok(new_service::<shout>().shout(text, 2).await?)
}

async fn a_function_is_a_service(env: &Env) {
    assert_eq!(shout("a".to_owned(), 3).await.unwrap(), "AAA");
    let host = |worker: Worker| worker.service(shout).workflow(shouts);
    env.run(host, async |client| {
        let shouted = client.new_workflow::<shouts>().shouts("ho".to_owned());
        assert_eq!(shouted.await.unwrap(), "HOHO");
    })
    .await;
}

trait Unit: Send + Sync + 'static {
    const NAME: &'static str;
}

struct Euro;

impl Unit for Euro {
    const NAME: &'static str = "EUR";
}

#[service]
trait Units {
    async fn unit(&self) -> String;
}

struct Purse<U>(std::marker::PhantomData<U>);

#[service]
impl<U: Unit> Units for Purse<U> {
    async fn unit(&self) -> String {
        U::NAME.to_owned()
    }
}

#[workflow]
async fn units() -> Result<String> {
    Ok(new_service::<UnitsStub>().unit().await?)
}

async fn an_implementation_may_be_generic(env: &Env) {
    let purse = Purse::<Euro>(std::marker::PhantomData);
    let host = |worker: Worker| worker.service(purse).workflow(units);
    env.run(host, async |client| {
        assert_eq!(client.new_workflow::<units>().units().await.unwrap(), "EUR");
    })
    .await;
}

#[service]
trait Left {
    async fn left(&self) -> String;
}

#[service]
trait Right {
    async fn right(&self) -> String;
}

#[derive(Clone)]
struct Both;

#[service]
impl Left for Both {
    async fn left(&self) -> String {
        "left".to_owned()
    }
}

#[service]
impl Right for Both {
    async fn right(&self) -> String {
        "right".to_owned()
    }
}

#[workflow]
async fn both() -> Result<String> {
    let left = new_service::<LeftStub>().left().await?;
    Ok(left + &new_service::<RightStub>().right().await?)
}

async fn one_value_hosts_several_contracts(env: &Env) {
    let host = |worker: Worker| {
        let worker = worker.service_for::<LeftStub, _>(Both);
        worker.service_for::<RightStub, _>(Both).workflow(both)
    };
    env.run(host, async |client| {
        let both = client.new_workflow::<both>().both().await;
        assert_eq!(both.unwrap(), "leftright");
    })
    .await;
}

#[service(name = "billing")]
#[allow(dead_code)] // Callers need its stub only.
trait CallersBilling {
    #[name("charge-card")]
    async fn charge(&self, cents: u64) -> u64;
    async fn r#type(&self) -> String;
}

/// Another crate's view of the same service: it shares nothing but names.
struct TasksBilling;

#[service(name = "billing")]
impl TasksBilling {
    #[name("charge-card")]
    async fn take_money(&self, amount: u64) -> u64 {
        assert_eq!(task::service().as_str(), "billing");
        assert_eq!(task::name().as_str(), "charge-card");
        amount + 1
    }

    async fn r#type(&self) -> String {
        task::name().to_string()
    }
}

#[workflow(name = "bills")]
async fn billed(cents: u64) -> Result<(u64, String)> {
    let billing = new_service::<CallersBillingStub>();
    Ok((billing.charge(cents).await?, billing.r#type().await?))
}

async fn names_are_what_callers_and_tasks_share(env: &Env) {
    let host = |worker: Worker| worker.service(TasksBilling).workflow(billed);
    env.run(host, async |client| {
        let run = client.new_workflow::<billed>().billed(41).dispatch();
        let run = run.await.unwrap();
        assert_eq!((&run).await.unwrap(), (42, "type".to_owned()));
        assert_eq!(run.state().await.unwrap().workflow.as_str(), "bills");
    })
    .await;
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Shape {
    Point,
    Circle { radius: f64 },
    Path(Vec<(i32, i32)>),
}

type Shapes = BTreeMap<String, Option<Shape>>;

#[service]
trait Shapers {
    async fn nothing(&self);
    async fn none(&self, shape: Option<Shape>) -> Option<Shape>;
    async fn three(&self, one: Shape, two: (u8, String), three: Shapes) -> (Shapes, Shape, char);
    async fn unit_or(&self, error: bool) -> Result<()>;
}

struct Potter;

#[service]
impl Shapers for Potter {
    async fn nothing(&self) {}

    async fn none(&self, shape: Option<Shape>) -> Option<Shape> {
        shape
    }

    async fn three(&self, one: Shape, two: (u8, String), three: Shapes) -> (Shapes, Shape, char) {
        assert_eq!(two, (7, "ünïcödé \u{1f980} \0 \"quoted\"".to_owned()));
        (three, one, '\u{1f980}')
    }

    async fn unit_or(&self, error: bool) -> Result<()> {
        if error {
            return Err(Error::msg("asked to"));
        }
        Ok(())
    }
}

#[workflow]
async fn shapes(shapes: Shapes) -> Result<(Shapes, Shape, char)> {
    let shapers = new_service::<ShapersStub>();
    shapers.nothing().await?;
    assert_eq!(shapers.none(None).await?, None);
    assert_eq!(shapers.none(Some(Shape::Point)).await?, Some(Shape::Point));
    shapers.unit_or(false).await?;
    assert!(shapers.unit_or(true).await.is_err());
    let two = (7, "ünïcödé \u{1f980} \0 \"quoted\"".to_owned());
    let circle = Shape::Circle { radius: 1.5 };
    Ok(shapers.three(circle, two, shapes).await?)
}

async fn arguments_and_results_are_whatever_serde_takes(env: &Env) {
    let host = |worker: Worker| worker.service(Potter).workflow(shapes);
    env.run(host, async |client| {
        let path = Shape::Path(vec![(1, -2), (i32::MAX, i32::MIN)]);
        let given = Shapes::from([("a".to_owned(), Some(path)), ("b".to_owned(), None)]);
        let (same, shape, letter) = client
            .new_workflow::<shapes>()
            .shapes(given.clone())
            .await
            .unwrap();
        assert_eq!(same, given);
        assert_eq!(shape, Shape::Circle { radius: 1.5 });
        assert_eq!(letter, '\u{1f980}');
    })
    .await;
}

#[derive(Clone, Serialize, Deserialize)]
struct NewOrder {
    id: u32,
    note: String,
}

#[service(name = "depot")]
#[allow(dead_code)] // Callers need its stub only.
trait NewDepot {
    async fn pack(&self, order: NewOrder, gift: bool) -> String;
    async fn send(&self, order: NewOrder) -> String;
}

#[derive(Clone, Serialize, Deserialize)]
struct OldOrder {
    id: u32,
    #[serde(default)]
    boxes: u32,
}

/// It knows no notes and no gifts, but an address that nobody sends any more.
struct OldDepot;

#[service(name = "depot")]
impl OldDepot {
    async fn pack(&self, order: OldOrder) -> String {
        format!("packed {} in {} boxes", order.id, order.boxes)
    }

    async fn send(&self, order: OldOrder, address: Option<String>) -> String {
        format!("sent {} to {address:?}", order.id)
    }
}

#[workflow]
async fn depots(order: NewOrder) -> Result<Vec<String>> {
    let depot = new_service::<NewDepotStub>();
    let packed = depot.pack(order.clone(), true).await?;
    Ok(vec![packed, depot.send(order).await?])
}

async fn newer_callers_and_older_tasks_understand_each_other(env: &Env) {
    let host = |worker: Worker| worker.service(OldDepot).workflow(depots);
    env.run(host, async |client| {
        let order = NewOrder {
            id: 7,
            note: "hello".to_owned(),
        };
        let done = client.new_workflow::<depots>().depots(order).await.unwrap();
        assert_eq!(done, ["packed 7 in 0 boxes", "sent 7 to None"]);
    })
    .await;
}
