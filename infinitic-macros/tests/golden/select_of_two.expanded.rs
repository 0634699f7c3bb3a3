async fn example() {
    {
        enum __Selected<Arm0, Arm1> {
            Arm0(Arm0),
            Arm1(Arm1),
        }
        #[allow(clippy::match_single_binding)]
        let __selected = match (
            ::core::future::IntoFuture::into_future(deliveries.next()),
            ::core::future::IntoFuture::into_future(timer(hours(48))),
        ) {
            (__f0, __f1) => {
                let mut __f0 = ::core::pin::pin!(__f0);
                let mut __f1 = ::core::pin::pin!(__f1);
                ::core::future::poll_fn(|__context| {
                        if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(
                            __f0.as_mut(),
                            __context,
                        ) {
                            return ::core::task::Poll::Ready(__Selected::Arm0(__value));
                        }
                        if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(
                            __f1.as_mut(),
                            __context,
                        ) {
                            return ::core::task::Poll::Ready(__Selected::Arm1(__value));
                        }
                        ::core::task::Poll::Pending
                    })
                    .await
            }
        };
        match __selected {
            #[allow(unused_mut)]
            __Selected::Arm0(mut __value) => {
                #[allow(clippy::match_single_binding)]
                match __value {
                    delivery => Some(delivery),
                }
            }
            #[allow(unused_mut)]
            __Selected::Arm1(mut __value) => {
                #[allow(clippy::match_single_binding)]
                match __value {
                    _ => {
                        escalate().await?;
                        None
                    }
                }
            }
        }
    }
}
