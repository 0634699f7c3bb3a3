#[derive(Default)]
pub struct OrdersV2<C> {
    status: Property<Status>,
    calls: Counter,
    #[cfg(feature = "notes")]
    r#type: infinitic::Property<String>,
    clients: C,
}
#[automatically_derived]
impl<C> ::infinitic::__private::WorkflowStruct for OrdersV2<C>
where
    Self: ::core::marker::Send + ::core::marker::Sync + 'static,
{
    const VERSION: u32 = 2u32;
    fn __bind(&self, binder: &mut ::infinitic::__private::Binder<'_>) {
        binder.bind("status", &self.status);
        binder.bind("number-of-calls", &self.calls);
        #[cfg(feature = "notes")] binder.bind("type", &self.r#type);
    }
}
impl<C: Clients> Orders for OrdersV2<C> {
    async fn start(&self, order: Order) -> Result<Receipt, OrderError> {
        self.status.set(Status::Started);
        Ok(Receipt)
    }
    async fn change(&self, change: Change) {}
}
#[automatically_derived]
#[allow(deprecated)]
impl<
    C: Clients,
> ::infinitic::__private::Workflow<
    (
        ::infinitic::__private::C<'O'>,
        (
            ::infinitic::__private::C<'r'>,
            (
                ::infinitic::__private::C<'d'>,
                (
                    ::infinitic::__private::C<'e'>,
                    (
                        ::infinitic::__private::C<'r'>,
                        (::infinitic::__private::C<'s'>, ()),
                    ),
                ),
            ),
        ),
    ),
> for OrdersV2<C>
where
    Self: ::core::marker::Send + ::core::marker::Sync + 'static,
{
    fn contract() -> &'static ::infinitic::__private::WorkflowContract {
        <Self as Orders>::__CONTRACT
    }
    fn methods() -> ::std::vec::Vec<::infinitic::__private::MethodHandler<Self>> {
        ::std::vec::Vec::from([
            ::infinitic::__private::MethodHandler::<Self> {
                method: "start",
                run: |__workflow, __args| {
                    let mut __args = ::infinitic::__private::ArgReader::new(
                        __args,
                        1usize,
                    )?;
                    ::infinitic::__private::assert_argument::<Order>();
                    let __a0: Order = __args.next("order")?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = <Self as Orders>::start(&__workflow, __a0)
                                .await;
                            ::infinitic::__private::assert_value::<Receipt>();
                            ::infinitic::__private::finish_result(
                                __returned,
                                ::infinitic::__private::error_codec!(OrderError),
                            )
                        }),
                    )
                },
            },
            ::infinitic::__private::MethodHandler::<Self> {
                method: "change",
                run: |__workflow, __args| {
                    let mut __args = ::infinitic::__private::ArgReader::new(
                        __args,
                        1usize,
                    )?;
                    ::infinitic::__private::assert_argument::<Change>();
                    let __a0: Change = __args.next("change")?;
                    ::core::result::Result::Ok(
                        ::std::boxed::Box::pin(async move {
                            let __returned = <Self as Orders>::change(&__workflow, __a0)
                                .await;
                            ::infinitic::__private::assert_value::<()>();
                            ::infinitic::__private::finish_value(__returned)
                        }),
                    )
                },
            },
        ])
    }
}
