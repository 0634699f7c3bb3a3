async fn example() {
    {
        enum __Selected<Arm0, Arm1> {
            Arm0(Arm0),
            Arm1(Arm1),
            Otherwise,
        }
        #[allow(clippy::match_single_binding)]
        let __selected = match (
            ::core::future::IntoFuture::into_future(first),
            ::core::future::IntoFuture::into_future(second),
        ) {
            (__f0, __f1) => {
                let mut __f0 = ::core::pin::pin!(__f0);
                let mut __f1 = ::core::pin::pin!(__f1);
                let mut __open0 = true;
                let mut __open1 = true;
                ::core::future::poll_fn(|__context| {
                        if __open0 {
                            if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(
                                __f0.as_mut(),
                                __context,
                            ) {
                                __open0 = false;
                                #[allow(
                                    unused_variables,
                                    unreachable_patterns,
                                    clippy::all
                                )]
                                let __matches = match &__value {
                                    Some(x) => true,
                                    _ => false,
                                };
                                if __matches {
                                    return ::core::task::Poll::Ready(__Selected::Arm0(__value));
                                }
                            }
                        }
                        if __open1 {
                            if let ::core::task::Poll::Ready(__value) = ::core::future::Future::poll(
                                __f1.as_mut(),
                                __context,
                            ) {
                                __open1 = false;
                                #[allow(
                                    unused_variables,
                                    unreachable_patterns,
                                    clippy::all
                                )]
                                let __matches = match &__value {
                                    Ok(y) => true,
                                    _ => false,
                                };
                                if __matches {
                                    return ::core::task::Poll::Ready(__Selected::Arm1(__value));
                                }
                            }
                        }
                        if !(__open0 || __open1) {
                            return ::core::task::Poll::Ready(__Selected::Otherwise);
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
                    Some(ref mut x) => x.take(),
                    #[allow(unreachable_patterns)]
                    _ => {
                        ::core::unreachable!(
                            "an arm is chosen only when its pattern matches"
                        )
                    }
                }
            }
            #[allow(unused_mut)]
            __Selected::Arm1(mut __value) => {
                #[allow(clippy::match_single_binding)]
                match __value {
                    Ok(&y) => y,
                    #[allow(unreachable_patterns)]
                    _ => {
                        ::core::unreachable!(
                            "an arm is chosen only when its pattern matches"
                        )
                    }
                }
            }
            __Selected::Otherwise => 0,
        }
    }
}
