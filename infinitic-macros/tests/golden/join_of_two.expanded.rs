async fn example() {
    match (
        ::core::future::IntoFuture::into_future(first()),
        ::core::future::IntoFuture::into_future(second),
    ) {
        (__f0, __f1) => {
            let mut __f0 = ::core::pin::pin!(__f0);
            let mut __f1 = ::core::pin::pin!(__f1);
            let mut __v0 = ::core::option::Option::None;
            let mut __v1 = ::core::option::Option::None;
            ::core::future::poll_fn(|__context| {
                    if __v0.is_none() {
                        if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(
                            __f0.as_mut(),
                            __context,
                        ) {
                            __v0 = ::core::option::Option::Some(__value);
                        }
                    }
                    if __v1.is_none() {
                        if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(
                            __f1.as_mut(),
                            __context,
                        ) {
                            __v1 = ::core::option::Option::Some(__value);
                        }
                    }
                    match (__v0.take(), __v1.take()) {
                        (
                            ::core::option::Option::Some(__t0),
                            ::core::option::Option::Some(__t1),
                        ) => ::core::task::Poll::Ready((__t0, __t1)),
                        (__t0, __t1) => {
                            __v0 = __t0;
                            __v1 = __t1;
                            ::core::task::Poll::Pending
                        }
                    }
                })
                .await
        }
    }
}
