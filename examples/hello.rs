//! The smallest durable program.

use std::time::Duration;

use infinitic::prelude::*;

#[service]
async fn greet(name: String) -> Result<String> {
    Ok(format!("hello, {name}"))
}

#[workflow]
async fn hello(name: String) -> Result<String> {
    let text = new_service::<greet>().greet(name).await?;
    timer(Duration::from_millis(100)).await;
    Ok(text)
}

#[tokio::main]
async fn main() -> Result<()> {
    let worker = Worker::embedded("./data/hello")?
        .service(greet)
        .workflow(hello);
    let client = worker.client();
    let answer = async {
        let text = client
            .new_workflow::<hello>()
            .hello("world".to_owned())
            .await;
        eprintln!("{text:?}");
    };
    worker.run_until(answer).await?;
    Ok(())
}
