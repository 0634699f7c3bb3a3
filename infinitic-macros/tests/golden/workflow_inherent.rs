#[workflow]
impl Greeter {
    async fn greet(&self, name: String) -> String {
        self.phrase(&name)
    }

    fn phrase(&self, name: &str) -> String {
        format!("hello {name}")
    }
}
