use infinitic::prelude::*;

#[workflow]
async fn hello() {
    let _ = std::net::TcpStream::connect("127.0.0.1:80");
}

fn main() {}
