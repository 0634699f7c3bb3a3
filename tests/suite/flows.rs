//! Workflows in all their forms.

use infinitic::prelude::*;

use crate::env::{Env, failed};
use crate::lab::{TestLab, lab, name};

on_all_backends! {
    a_trait_with_struct_and_impl,
    an_inherent_impl,
    a_function,
    a_factory_gives_dependencies,
    any_method_starts_an_instance,
    new_instances_take_the_highest_version,
    plain_values_need_no_result,
    loops_and_helpers_are_ordinary_rust,
}

/// A contract that callers know without any implementation.
mod contract {
    use infinitic::prelude::*;

    #[workflow]
    pub(super) trait Orders {
        async fn place(&self, item: String) -> Result<String>;
        async fn cancel_all(&self, reason: String) -> String;
        async fn nothing(&self);
    }
}

#[workflow]
#[derive(Default)]
struct Shop {
    seen: Property<Vec<String>>,
}

#[workflow]
impl contract::Orders for Shop {
    async fn place(&self, item: String) -> Result<String> {
        self.seen.update(|seen| seen.push(item.clone()));
        let echoed = lab().echo(item).await?;
        self.seen.update(|seen| seen.push(echoed));
        Ok(self.seen.get().join(","))
    }

    async fn cancel_all(&self, reason: String) -> String {
        format!("cancelled: {reason}")
    }

    async fn nothing(&self) {}
}

async fn a_trait_with_struct_and_impl(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(Shop::default);
    env.run(host, async |client| {
        let orders = client.new_workflow::<contract::OrdersClient>();
        assert_eq!(orders.place(name("tea")).await.unwrap(), "tea,tea");
    })
    .await;
}

async fn any_method_starts_an_instance(env: &Env) {
    let host = |worker: Worker| worker.workflow(Shop::default);
    env.run(host, async |client| {
        let orders = client.new_workflow::<contract::OrdersClient>();
        let cancelled = orders.cancel_all(name("rain")).await;
        assert_eq!(cancelled.unwrap(), "cancelled: rain");
        orders.nothing().await.unwrap();
    })
    .await;
}

#[workflow]
#[derive(Default)]
struct Greeter;

#[workflow]
impl Greeter {
    async fn greet(&self, who: String) -> Result<String> {
        let who = lab().echo(who).await?;
        Ok(self.phrase(&who))
    }

    fn phrase(&self, who: &str) -> String {
        format!("hello, {who}")
    }
}

async fn an_inherent_impl(env: &Env) {
    let host = |worker: Worker| {
        worker
            .service(TestLab::default())
            .workflow(Greeter::default)
    };
    env.run(host, async |client| {
        let greeter = client.new_workflow::<GreeterClient>();
        assert_eq!(greeter.greet(name("you")).await.unwrap(), "hello, you");
    })
    .await;
}

#[workflow]
async fn twice(text: String) -> Result<String> {
    let once = lab().echo(text).await?;
    Ok(format!("{once}{once}"))
}

async fn a_function(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(twice);
    env.run(host, async |client| {
        let both = client.new_workflow::<twice>().twice(name("ab")).await;
        assert_eq!(both.unwrap(), "abab");
    })
    .await;
}

#[workflow]
struct Priced {
    price: u64,
}

#[workflow]
impl Priced {
    async fn total(&self, count: u64) -> Result<u64> {
        lab().echo(name("counting")).await?;
        Ok(self.price * count)
    }
}

async fn a_factory_gives_dependencies(env: &Env) {
    let price = 7;
    let host = |worker: Worker| {
        let worker = worker.service(TestLab::default());
        worker.workflow(move || Priced { price })
    };
    env.run(host, async |client| {
        let total = client.new_workflow::<PricedClient>().total(6).await;
        assert_eq!(total.unwrap(), 42);
    })
    .await;
}

/// The same workflow in three versions.
mod versions {
    use infinitic::prelude::*;

    #[workflow]
    pub(super) trait Versioned {
        async fn run(&self) -> u32;
    }

    #[workflow]
    #[derive(Default)]
    pub(super) struct First;

    #[workflow]
    impl Versioned for First {
        async fn run(&self) -> u32 {
            workflow::version()
        }
    }

    #[workflow(version = 2)]
    #[derive(Default)]
    pub(super) struct Second;

    #[workflow]
    impl Versioned for Second {
        async fn run(&self) -> u32 {
            workflow::version() * 10
        }
    }
}

async fn new_instances_take_the_highest_version(env: &Env) {
    let both = |worker: Worker| {
        let worker = worker.workflow(versions::Second::default);
        worker.workflow(versions::First::default)
    };
    env.run(both, async |client| {
        let versioned = client.new_workflow::<versions::VersionedClient>();
        assert_eq!(versioned.run().await.unwrap(), 20);
        assert_eq!(versioned.with_version(0).run().await.unwrap(), 0);
    })
    .await;
}

#[workflow]
async fn plain(number: i32) -> i32 {
    number + 1
}

#[workflow]
async fn unit() {
    timer(std::time::Duration::ZERO).await;
}

async fn plain_values_need_no_result(env: &Env) {
    let host = |worker: Worker| worker.workflow(plain).workflow(unit);
    env.run(host, async |client| {
        assert_eq!(client.new_workflow::<plain>().plain(1).await.unwrap(), 2);
        client.new_workflow::<unit>().unit().await.unwrap();
    })
    .await;
}

async fn ask(questions: &[String]) -> Result<Vec<String>> {
    let mut answers = Vec::new();
    for question in questions {
        match question.strip_prefix('!') {
            Some(why) => {
                let refused = failed(lab().refuse(why.to_owned()).await);
                answers.push(refused.message().to_owned());
            }
            None => answers.push(lab().echo(question.clone()).await?),
        }
    }
    Ok(answers)
}

#[workflow]
async fn interview(questions: Vec<String>) -> Result<Vec<String>> {
    let (first, rest) = questions.split_at(1);
    let mut answers = ask(first).await?;
    answers.extend(ask(rest).await?);
    Ok(answers)
}

async fn loops_and_helpers_are_ordinary_rust(env: &Env) {
    let host = |worker: Worker| worker.service(TestLab::default()).workflow(interview);
    env.run(host, async |client| {
        let questions = ["who", "!why", "where"].map(name).to_vec();
        let answers = client.new_workflow::<interview>().interview(questions);
        assert_eq!(answers.await.unwrap(), ["who", "refused: why", "where"]);
    })
    .await;
}
