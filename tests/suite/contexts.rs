//! What tasks and workflows can ask about themselves.

use infinitic::prelude::*;
use serde::{Deserialize, Serialize};

use crate::env::{Env, Log};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    tasks_know_themselves,
    spawned_futures_inherit_the_tasks_context,
    workflows_know_themselves,
}

#[derive(Debug, Default, PartialEq, Serialize, Deserialize)]
struct Seen {
    id: String,
    service: String,
    name: String,
    attempt: u32,
    sequence: u32,
    last_error: Option<String>,
    tags: Vec<String>,
    meta: Vec<(String, String)>,
    workflow_id: String,
    workflow_name: String,
    worker: String,
    is_cancelled: bool,
    batch_key: Option<String>,
}

fn see() -> Seen {
    Seen {
        id: task::id().to_string(),
        service: task::service().to_string(),
        name: task::name().to_string(),
        attempt: task::attempt(),
        sequence: task::retry_sequence(),
        last_error: task::last_error().map(|last| last.message().to_owned()),
        tags: task::tags(),
        meta: task::meta().into_iter().collect(),
        workflow_id: task::workflow_id().to_string(),
        workflow_name: task::workflow_name().to_string(),
        worker: task::worker(),
        is_cancelled: task::is_cancelled(),
        batch_key: task::batch_key(),
    }
}

struct Eye;

#[service(name = "eye")]
impl Eye {
    #[retry(max_attempts = 2, initial = "1ms")]
    #[name("look-around")]
    async fn look(&self) -> Result<Seen> {
        if task::attempt() == 0 {
            return Err(Error::msg("too dark"));
        }
        Ok(see())
    }

    async fn elsewhere(&self) -> Result<(Seen, Seen)> {
        let there = task::spawn(async {
            tokio::task::yield_now().await;
            see()
        });
        Ok((see(), there.await?))
    }
}

#[workflow(name = "observer")]
async fn observe() -> Result<Seen> {
    let eye = new_service::<EyeStub>()
        .with_tag("red")
        .with_tag("round")
        .with_meta("who", "me");
    Ok(eye.look().await?)
}

async fn tasks_know_themselves(env: &Env) {
    let host = |worker: Worker| worker.name("tower").service(Eye).workflow(observe);
    env.run(host, async |client| {
        let run = client.new_workflow::<observe>().observe().dispatch();
        let run = run.await.unwrap();
        let seen = (&run).await.unwrap();
        let task: TaskId = seen.id.parse().unwrap();
        assert_eq!(task.instance, run.id());
        let expected = Seen {
            id: seen.id.clone(),
            service: name("eye"),
            name: name("look-around"),
            attempt: 1,
            sequence: 0,
            last_error: Some(name("too dark")),
            tags: vec![name("red"), name("round")],
            meta: vec![(name("who"), name("me"))],
            workflow_id: run.id().to_string(),
            workflow_name: name("observer"),
            worker: name("tower"),
            is_cancelled: false,
            batch_key: None,
        };
        assert_eq!(seen, expected);
    })
    .await;
}

#[workflow]
async fn elsewhere() -> Result<(Seen, Seen)> {
    Ok(new_service::<EyeStub>().elsewhere().await?)
}

async fn spawned_futures_inherit_the_tasks_context(env: &Env) {
    let host = |worker: Worker| worker.service(Eye).workflow(elsewhere);
    env.run(host, async |client| {
        let seen = client.new_workflow::<elsewhere>().elsewhere().await;
        let (here, there) = seen.unwrap();
        assert_eq!(here, there);
    })
    .await;
}

/// Id, name, version, tags, meta, number of the run.
type Facts = (String, String, u32, Vec<String>, Vec<(String, String)>, u32);

#[workflow(version = 3)]
struct Introvert {
    log: Log,
}

#[workflow(name = "introvert")]
impl Introvert {
    async fn look(&self) -> Result<Facts> {
        self.log.push(format!("{:?}", self.facts()));
        lab().echo(name("wait")).await?;
        self.log.push(format!("{:?}", self.facts()));
        Ok(self.facts())
    }

    fn facts(&self) -> Facts {
        (
            workflow::id().to_string(),
            workflow::name().to_string(),
            workflow::version(),
            workflow::tags(),
            workflow::meta(),
            workflow::method_id().0,
        )
    }
}

async fn workflows_know_themselves(env: &Env) {
    let log = Log::default();
    let host = |worker: Worker| {
        let log = log.clone();
        let worker = worker.service(TestLab::default());
        worker.workflow(move || Introvert { log: log.clone() })
    };
    env.run(host, async |client| {
        let introvert = client
            .new_workflow::<IntrovertClient>()
            .with_tag("shy")
            .with_meta("mood", "good");
        let run = introvert.look().dispatch().await.unwrap();
        let facts = (&run).await.unwrap();
        let expected = (
            run.id().to_string(),
            name("introvert"),
            3,
            vec![name("shy")],
            vec![(name("mood"), name("good"))],
            0,
        );
        assert_eq!(facts, expected);
        let all = log.all();
        assert!(
            all.iter().all(|line| *line == format!("{facts:?}")),
            "{all:?}"
        );
        let state = run.state().await.unwrap();
        assert_eq!((state.version, state.tags), (3, vec![name("shy")]));
    })
    .await;
}
