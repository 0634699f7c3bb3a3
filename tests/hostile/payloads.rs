//! Payloads that do not decode, and large ones.

use infinitic::prelude::*;

use crate::{assert_says, run, until_status, with_worker};

/// A service as its caller sees it, and as it is.
mod seen {
    use infinitic::prelude::*;

    #[service(name = "scales")]
    #[allow(dead_code)] // Callers need its stub only.
    pub(super) trait SeenScales {
        async fn weigh(&self, thing: String) -> u32;
        async fn name(&self) -> Vec<u8>;
        async fn fine(&self) -> u32;
    }

    #[workflow(name = "weighers")]
    #[allow(dead_code)] // Clients need its client only.
    pub(super) trait SeenWeighs {
        async fn run(&self, thing: u64) -> Result<u32, Failure>;
    }
}

struct Scales;

#[service(name = "scales")]
#[retry(max_attempts = 5, initial = "1ms")]
impl Scales {
    async fn weigh(&self, weight: u32) -> u32 {
        weight
    }

    async fn name(&self) -> String {
        "scales".to_owned()
    }

    async fn fine(&self) -> u32 {
        task::attempt()
    }
}

/// The same, mended.
struct MendedScales;

#[service(name = "scales")]
impl MendedScales {
    async fn weigh(&self, thing: String) -> u32 {
        u32::try_from(thing.len()).unwrap()
    }
}

#[workflow]
async fn weighs(thing: String) -> Result<u32, Failure> {
    Ok(new_service::<seen::SeenScalesStub>().weigh(thing).await?)
}

#[workflow]
async fn reads() -> Result<Vec<u8>, Failure> {
    let scales = new_service::<seen::SeenScalesStub>();
    let named = scales.name().await;
    scales.fine().await?;
    Ok(named?)
}

fn data() -> (tempfile::TempDir, std::path::PathBuf) {
    let temp = tempfile::tempdir().unwrap();
    let dir = temp.path().join("data");
    (temp, dir)
}

#[test]
fn a_task_argument_that_does_not_decode_fails_its_task_at_once() {
    let (_temp, dir) = data();
    let worker = || Worker::embedded(&dir).unwrap();
    run(async {
        let hosts = worker().service(Scales).workflow(weighs);
        let id = with_worker(hosts, async |client| {
            let weighs = client.new_workflow::<weighs>();
            let started = weighs.weighs("feather".to_owned()).dispatch().await;
            let started = started.unwrap();
            let failure = (&started).await.unwrap_err().error().unwrap();
            assert_eq!(failure.kind(), FailureKind::Undecodable);
            assert_eq!(failure.attempts(), 1);
            let parts = ["`weight`", "`u32`", "\"feather\""];
            assert_says(failure.message(), &parts);
            assert_says(&failure, &["scales.weigh"]);
            started.id()
        })
        .await;
        // Mended by a deployment.
        let hosts = worker().service(MendedScales).workflow(weighs);
        with_worker(hosts, async |client| {
            let run = client.attach::<u32, Failure>(id);
            run.retry_tasks().await.unwrap();
            assert_eq!(run.await.unwrap(), 7);
        })
        .await;
    });
}

#[test]
fn a_task_result_that_does_not_decode_is_a_failure_of_the_call() {
    let (_temp, dir) = data();
    let worker = Worker::embedded(dir).unwrap();
    run(with_worker(
        worker.service(Scales).workflow(reads),
        async |client| {
            let reads = client.new_workflow::<reads>();
            let failure = reads.reads().await.unwrap_err().error().unwrap();
            assert_eq!(failure.kind(), FailureKind::Undecodable);
            assert_says(&failure, &["Vec<u8>", "\"scales\""]);
        },
    ));
}

#[test]
fn a_workflow_argument_that_does_not_decode_fails_its_instance() {
    let (_temp, dir) = data();
    let worker = Worker::embedded(dir).unwrap();
    let hosts = worker.service(MendedScales).workflow(flows::run);
    run(with_worker(hosts, async |client| {
        let weighs = client.new_workflow::<seen::SeenWeighsClient>();
        let started = weighs.run(17).dispatch().await.unwrap();
        let failure = (&started).await.unwrap_err();
        assert_eq!(failure.kind(), FailureKind::Undecodable);
        assert_says(&failure, &["`thing`", "`String`", "17"]);
        until_status(&started, Status::Failed).await;
        // The others are unharmed.
        let run = client.new_workflow::<flows::run>().run("ton".to_owned());
        assert_eq!(run.await.unwrap(), 3);
    }));
}

/// The workflow as it is.
mod flows {
    use infinitic::prelude::*;

    #[workflow(name = "weighers")]
    pub(super) async fn run(thing: String) -> Result<u32, Failure> {
        Ok(new_service::<super::seen::SeenScalesStub>()
            .weigh(thing)
            .await?)
    }
}

/// Ten megabytes.
const LARGE: usize = 10 << 20;

#[service]
async fn doubles(text: String) -> String {
    text.repeat(2)
}

#[workflow]
#[derive(Default)]
struct Carrier {
    last: Property<String>,
}

#[workflow]
impl Carrier {
    async fn carry(&self, text: String) -> Result<(usize, String)> {
        self.last.set(text.clone());
        let doubled = new_service::<doubles>().doubles(text).await?;
        let length = doubled.len();
        let text = step("cut", move || {
            let half = doubled[..doubled.len() / 2].to_owned();
            async move { Ok::<_, Error>(half) }
        })
        .await?;
        timer(std::time::Duration::from_millis(1)).await;
        assert_eq!(self.last.get(), text);
        Ok((length, text))
    }
}

#[test]
fn ten_megabytes_pass_through_task_step_property_and_workflow() {
    let (_temp, dir) = data();
    run(async {
        let hosts = || {
            let worker = Worker::embedded(&dir).unwrap();
            worker.service(doubles).workflow(Carrier::default)
        };
        let text = "0123456789".repeat(LARGE / 10);
        let id = with_worker(hosts(), async |client| {
            let carrier = client.new_workflow::<CarrierClient>();
            let run = carrier.carry(text.clone()).dispatch().await.unwrap();
            let (length, same) = (&run).await.unwrap();
            assert_eq!(length, 2 * text.len());
            assert!(same == text, "it comes back as it was");
            run.id()
        })
        .await;
        with_worker(hosts(), async |client| {
            let carried = client.attach::<(usize, String), Error>(id).await;
            assert!(carried.unwrap().1 == text, "it is still there");
        })
        .await;
    });
}

/// Its result is too large.
#[service]
async fn grows(times: usize) -> String {
    "x".repeat(times)
}

#[workflow]
async fn bursts() -> Result<String, Failure> {
    let grows = new_service::<grows>();
    let failure = grows.grows(65 << 20).await.unwrap_err();
    assert_eq!(failure.kind(), FailureKind::Undecodable);
    let small = grows.grows(3).await?;
    Ok(format!("{small} {}", failure.message()))
}

#[test]
fn what_is_too_large_is_said_so() {
    let (_temp, dir) = data();
    let worker = Worker::embedded(dir).unwrap();
    run(with_worker(
        worker.service(grows).workflow(bursts),
        async |client| {
            let told = client.new_workflow::<bursts>().bursts().await.unwrap();
            assert_says(told, &["xxx", "limit of 67108864", "send its address"]);
        },
    ));
}
