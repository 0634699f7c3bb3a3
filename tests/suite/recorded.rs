//! Values that workflow code draws: the same on every replay. And its durable properties.

use infinitic::prelude::*;

use crate::env::{Env, Log, until};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    drawn_values_are_the_same_on_every_replay,
    instances_draw_values_of_their_own,
    inline_runs_once,
    properties_are_durable,
    properties_start_from_what_the_factory_says,
}

#[workflow]
struct Drawer {
    log: Log,
}

#[workflow]
impl Drawer {
    async fn draw(&self) -> Result<Vec<String>> {
        let mut values = Vec::new();
        self.draw_some(&mut values);
        lab().gated(name("one")).await?;
        self.draw_some(&mut values);
        lab().gated(name("two")).await?;
        self.draw_some(&mut values);
        for (place, value) in values.iter().enumerate() {
            assert!(!values[..place].contains(value), "{value} was drawn twice");
        }
        Ok(values)
    }

    fn draw_some(&self, values: &mut Vec<String>) {
        let instant = now();
        assert_eq!(instant, now(), "time stands still in a turn");
        values.push(random().to_string());
        values.push(uuid());
        // What is recorded once may come from anywhere.
        values.push(inline(|| format!("{:?}", std::time::Instant::now())));
        self.log
            .push(format!("{} {instant} {values:?}", values.len()));
    }
}

fn drawer(bench: &TestLab, log: &Log) -> impl Fn(Worker) -> Worker + use<> {
    let (bench, log) = (bench.clone(), log.clone());
    move |worker| {
        let log = log.clone();
        let worker = worker.service(bench.clone());
        worker.workflow(move || Drawer { log: log.clone() })
    }
}

async fn drawn_values_are_the_same_on_every_replay(env: &Env) {
    let (bench, log) = (TestLab::default(), Log::default());
    let host = drawer(&bench, &log);
    let id = env
        .cut_off(&host, async |client| {
            let run = client.new_workflow::<DrawerClient>().draw().dispatch();
            let run = run.await.unwrap();
            bench.open("one");
            bench.until_begun("two").await;
            run.id()
        })
        .await;
    bench.open("two");
    let values = env
        .run(&host, async |client| {
            client.attach::<Vec<String>, Error>(id).await.unwrap()
        })
        .await;
    assert_eq!(values.len(), 9);
    // Every replay has drawn what the first time had.
    let seen = log.all();
    assert!(seen.len() > 3, "nothing was replayed");
    for count in ["3 ", "6 ", "9 "] {
        let mut same = seen.iter().filter(|line| line.starts_with(count));
        let first = same.next().unwrap();
        assert!(same.all(|line| line == first), "{seen:#?}");
    }
    let uuid = &values[1];
    let lengths: Vec<_> = uuid.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(&uuid[14..15], "4");
}

async fn instances_draw_values_of_their_own(env: &Env) {
    let (bench, log) = (TestLab::default(), Log::default());
    bench.open("one");
    bench.open("two");
    env.run(drawer(&bench, &log), async |client| {
        let drawer = client.new_workflow::<DrawerClient>();
        let (left, right) = tokio::join!(drawer.draw(), drawer.draw());
        let (left, right) = (left.unwrap(), right.unwrap());
        assert_ne!((&left[0], &left[1]), (&right[0], &right[1]));
    })
    .await;
}

#[workflow]
struct Inliner {
    log: Log,
}

#[workflow]
impl Inliner {
    async fn run(&self) -> Result<usize> {
        let log = self.log.clone();
        let line = inline(|| {
            log.push("inline");
            log.all().len()
        });
        lab().echo(name("a")).await?;
        inline(|| log.push("second"));
        lab().echo(name("b")).await?;
        Ok(line)
    }
}

async fn inline_runs_once(env: &Env) {
    let log = Log::default();
    let host = |worker: Worker| {
        let log = log.clone();
        let worker = worker.service(TestLab::default());
        worker.workflow(move || Inliner { log: log.clone() })
    };
    env.run(host, async |client| {
        assert_eq!(
            client.new_workflow::<InlinerClient>().run().await.unwrap(),
            1
        );
        assert_eq!(log.all(), ["inline", "second"]);
    })
    .await;
}

#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
enum Stage {
    #[default]
    New,
    Paid(u32),
}

#[workflow]
#[derive(Default)]
struct Keeper {
    stage: Property<Stage>,
    #[property(name = "all-seen")]
    seen: Property<Vec<String>>,
    note: Property<Option<String>>,
}

#[workflow]
impl Keeper {
    async fn keep(&self) -> Result<(Stage, Vec<String>, Option<String>)> {
        assert_eq!(self.stage.get(), Stage::New);
        self.note.set(Some(name("remember")));
        for gate in ["one", "two"] {
            let text = lab().gated(name(gate)).await?;
            self.seen.update(|seen| seen.push(text));
            let count = u32::try_from(self.seen.get().len())?;
            self.stage.set(Stage::Paid(count));
        }
        assert_eq!(self.note.get(), Some(name("remember")));
        self.note.set(None);
        lab().echo(name("after")).await?;
        Ok((self.stage.get(), self.seen.get(), self.note.get()))
    }
}

async fn properties_are_durable(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| worker.service(bench.clone()).workflow(Keeper::default);
    let id = env
        .cut_off(host, async |client| {
            let run = client.new_workflow::<KeeperClient>().keep().dispatch();
            let run = run.await.unwrap();
            bench.open("one");
            bench.until_begun("two").await;
            run.id()
        })
        .await;
    bench.open("two");
    env.run(host, async |client| {
        type Kept = (Stage, Vec<String>, Option<String>);
        let (stage, seen, note) = client.attach::<Kept, Error>(id).await.unwrap();
        assert_eq!(stage, Stage::Paid(2));
        assert_eq!(seen, ["one", "two"]);
        assert_eq!(note, None);
    })
    .await;
    // An ordinary value for an ordinary unit test.
    let keeper = Keeper::default();
    keeper.stage.set(Stage::Paid(1));
    assert_eq!(keeper.stage.get(), Stage::Paid(1));
}

#[workflow]
struct Starter {
    count: Property<u32>,
}

#[workflow]
impl Starter {
    async fn count(&self) -> Result<u32> {
        self.count.update(|count| *count += 1);
        lab().gated(name("one")).await?;
        self.count.update(|count| *count += 1);
        Ok(self.count.get())
    }
}

async fn properties_start_from_what_the_factory_says(env: &Env) {
    let bench = TestLab::default();
    let host = |worker: Worker| {
        let worker = worker.service(bench.clone());
        worker.workflow(|| Starter {
            count: Property::new(40),
        })
    };
    let id = env
        .run(host, async |client| {
            let run = client.new_workflow::<StarterClient>().count().dispatch();
            let run = run.await.unwrap();
            until("it waits", async || {
                !run.state().await.unwrap().waits.is_empty()
            })
            .await;
            bench.open("one");
            run.id()
        })
        .await;
    env.run(host, async |client| {
        assert_eq!(client.attach::<u32, Error>(id).await.unwrap(), 42);
    })
    .await;
}
