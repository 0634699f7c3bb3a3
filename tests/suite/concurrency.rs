//! How many attempts of a service run at the same time.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use infinitic::prelude::*;

use crate::env::Env;
use crate::lab::TestLab;

on_all_backends! {
    sixty_four_attempts_run_unless_told_otherwise,
    the_limit_is_each_services_own,
}

#[derive(Clone, Default)]
struct Crowd {
    lab: TestLab,
    inside: Arc<AtomicUsize>,
    most: Arc<AtomicUsize>,
}

impl Crowd {
    async fn stay(&self) {
        let inside = self.inside.fetch_add(1, Ordering::SeqCst) + 1;
        self.most.fetch_max(inside, Ordering::SeqCst);
        self.lab.log.push("in");
        self.lab.until_open("door").await;
        self.inside.fetch_sub(1, Ordering::SeqCst);
    }
}

#[service]
trait Hall {
    async fn enter(&self, number: u32) -> u32;
}

#[service]
impl Hall for Crowd {
    async fn enter(&self, number: u32) -> u32 {
        self.stay().await;
        number
    }
}

#[service]
trait Booth {
    async fn enter(&self, number: u32) -> u32;
}

#[service]
impl Booth for Crowd {
    async fn enter(&self, number: u32) -> u32 {
        self.stay().await;
        number
    }
}

#[workflow]
async fn visitors(count: u32) -> Result<Vec<u32>> {
    let hall = new_service::<HallStub>();
    Ok(all((0..count).map(|number| hall.enter(number))).await?)
}

async fn sixty_four_attempts_run_unless_told_otherwise(env: &Env) {
    let crowd = Crowd::default();
    let host = |worker: Worker| {
        let worker = worker.service_for::<HallStub, _>(crowd.clone());
        worker.workflow(visitors)
    };
    env.run(host, async |client| {
        let run = client.new_workflow::<visitors>().visitors(100).dispatch();
        let run = run.await.unwrap();
        crowd.lab.log.until("in", 64).await;
        // All that are inside must have had their chance: the next ones come when one leaves.
        assert_eq!(run.state().await.unwrap().waits.len(), 100);
        assert_eq!(crowd.inside.load(Ordering::SeqCst), 64);
        crowd.lab.open("door");
        assert_eq!(run.await.unwrap(), (0..100).collect::<Vec<_>>());
        assert_eq!(crowd.most.load(Ordering::SeqCst), 64);
    })
    .await;
}

#[workflow]
async fn tour(count: u32) -> Result<(Vec<u32>, Vec<u32>)> {
    let (hall, booth) = (new_service::<HallStub>(), new_service::<BoothStub>());
    let (hall, booth) = join!(
        all((0..count).map(|number| hall.enter(number))),
        all((0..count).map(|number| booth.enter(number))),
    );
    Ok((hall?, booth?))
}

async fn the_limit_is_each_services_own(env: &Env) {
    let (hall, booth) = (Crowd::default(), Crowd::default());
    let host = |worker: Worker| {
        worker
            .concurrency(5)
            .concurrency_of("Booth", 2)
            .service_for::<HallStub, _>(hall.clone())
            .service_for::<BoothStub, _>(booth.clone())
            .workflow(tour)
    };
    env.run(host, async |client| {
        let run = client.new_workflow::<tour>().tour(12).dispatch();
        let run = run.await.unwrap();
        hall.lab.log.until("in", 5).await;
        booth.lab.log.until("in", 2).await;
        hall.lab.open("door");
        hall.lab.log.until("in", 12).await;
        booth.lab.open("door");
        let numbers: Vec<_> = (0..12).collect();
        assert_eq!(run.await.unwrap(), (numbers.clone(), numbers));
        assert_eq!(hall.most.load(Ordering::SeqCst), 5);
        assert_eq!(booth.most.load(Ordering::SeqCst), 2);
    })
    .await;
}
