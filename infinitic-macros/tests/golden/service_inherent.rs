#[service(name = "mails")]
impl Emails {
    pub fn new() -> Self {
        Self {}
    }

    #[retry(none)]
    pub async fn send(&self, mut mail: Mail) -> Result<(), SendError> {
        self.connect(&mail).await
    }

    #[skip]
    async fn connect(&self, mail: &Mail) -> Result<(), SendError> {
        Ok(())
    }
}
