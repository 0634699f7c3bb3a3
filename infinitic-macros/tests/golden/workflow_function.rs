#[workflow(version = 3, name = "greeting")]
async fn hello(name: String) -> Result<String, Error> {
    Ok(greet(name).await?)
}
