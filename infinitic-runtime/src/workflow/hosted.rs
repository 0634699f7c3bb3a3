//! Workflows that a worker hosts: by name and version, with their types erased.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use infinitic_core::names::{MethodName, WorkflowName};
use infinitic_core::{FailureRecord, Payload};

use super::property::Binder;
use super::recorder::Recorder;
use crate::contract::{
    ArgReader, FunctionMarker, Tagged, TaskFuture, TaskResult, Undecodable, WorkflowContract,
};

/// What `#[workflow]` generates for an implementation.
#[doc(hidden)]
pub trait Workflow<Marker>: WorkflowStruct {
    /// The names of the contract.
    fn contract() -> &'static WorkflowContract;
    /// What runs each method.
    fn methods() -> Vec<MethodHandler<Self>>;
}

/// What `#[workflow]` generates for the struct of an implementation.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is no workflow struct",
    label = "add `#[workflow]` to its definition",
    note = "`#[workflow] struct …` sets the version and names the properties"
)]
pub trait WorkflowStruct: Sized + Send + Sync + 'static {
    /// The version of the code; new instances take the highest that their worker hosts.
    const VERSION: u32;
    #[doc(hidden)]
    fn __bind(&self, binder: &mut Binder<'_>);
}

/// What `#[workflow]` generates for a function.
#[doc(hidden)]
pub trait WorkflowFunction: crate::client::WorkflowProxy {
    /// What the function returns.
    type Output;
    /// The version of the code.
    const VERSION: u32;
    /// The result in wire form.
    fn finish(output: Self::Output) -> TaskResult;
}

/// Runs a method on a value of the workflow's struct.
#[doc(hidden)]
pub struct MethodHandler<W> {
    /// Its identifier in the contract.
    pub method: &'static str,
    /// Decodes the arguments and makes the future.
    pub run: fn(W, &Payload) -> Result<TaskFuture, Undecodable>,
}

impl<W> fmt::Debug for MethodHandler<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MethodHandler")
            .field("method", &self.method)
            .finish_non_exhaustive()
    }
}

/// Something `Worker::workflow` takes: a factory of workflow structs, or a function under
/// `#[workflow]`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` makes no workflow",
    label = "give a factory such as `Orders::default`, or a function under `#[workflow]`",
    note = "the struct needs `#[workflow]` on its definition and on one `impl`"
)]
pub trait HostWorkflow<Marker> {
    #[doc(hidden)]
    fn __host(self) -> HostedWorkflow;
}

type Begin = Box<dyn Fn(&Payload, &Arc<Recorder>) -> Result<TaskFuture, Undecodable> + Send + Sync>;

/// A workflow in one version, with its types erased.
#[doc(hidden)]
pub struct HostedWorkflow {
    pub(crate) name: WorkflowName,
    pub(crate) version: u32,
    methods: BTreeMap<MethodName, Begin>,
}

impl fmt::Debug for HostedWorkflow {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HostedWorkflow")
            .field("name", &self.name)
            .field("version", &self.version)
            .field("methods", &self.methods.keys())
            .finish()
    }
}

/// Why a method cannot begin.
#[derive(Debug)]
pub(crate) enum StartError {
    UnknownMethod,
    Undecodable(Box<FailureRecord>),
}

impl HostedWorkflow {
    pub(crate) fn start(
        &self,
        method: &MethodName,
        args: &Payload,
        recorder: &Arc<Recorder>,
    ) -> Result<TaskFuture, StartError> {
        let begin = self.methods.get(method).ok_or(StartError::UnknownMethod)?;
        begin(args, recorder)
            .map_err(|undecodable| StartError::Undecodable(Box::new(undecodable.into())))
    }
}

/// Marks factories of structs.
#[doc(hidden)]
#[derive(Debug)]
pub struct ByFactory<W, M>(std::marker::PhantomData<(W, M)>);

impl<F, W, M> HostWorkflow<ByFactory<W, M>> for F
where
    F: Fn() -> W + Send + Sync + 'static,
    W: Workflow<M>,
{
    fn __host(self) -> HostedWorkflow {
        let contract = W::contract();
        let factory = Arc::new(self);
        let methods = W::methods().into_iter().map(|handler| {
            let name = crate::contract::method_contract(contract, handler.method).name;
            let factory = Arc::clone(&factory);
            let begin: Begin = Box::new(move |args, recorder| {
                let workflow = factory();
                workflow.__bind(&mut Binder { recorder });
                (handler.run)(workflow, args)
            });
            (MethodName::known(name), begin)
        });
        HostedWorkflow {
            name: WorkflowName::known(contract.name),
            version: W::VERSION,
            methods: methods.collect(),
        }
    }
}

macro_rules! host_functions {
    ($($arg:ident)*) => {
        impl<F, C, Fut, $($arg,)*> HostWorkflow<FunctionMarker<(C, $($arg,)*)>> for F
        where
            F: Fn($($arg),*) -> Tagged<C, Fut> + Send + Sync + 'static,
            C: WorkflowFunction + 'static,
            Fut: Future<Output = C::Output> + Send + 'static,
            $($arg: serde::de::DeserializeOwned,)*
        {
            #[allow(non_snake_case, unused_mut, unused_variables)]
            fn __host(self) -> HostedWorkflow {
                let contract = C::CONTRACT;
                let method = &contract.methods[0];
                let begin: Begin = Box::new(move |args, _| {
                    let mut reader = ArgReader::new(args, method.arguments.len())?;
                    let mut names = method.arguments.iter();
                    $(let $arg: $arg = reader.next(names.next().copied().unwrap_or("?"))?;)*
                    let future = self($($arg),*);
                    Ok(Box::pin(async move { C::finish(future.await) }))
                });
                HostedWorkflow {
                    name: WorkflowName::known(contract.name),
                    version: C::VERSION,
                    methods: BTreeMap::from([(MethodName::known(method.name), begin)]),
                }
            }
        }
    };
}

host_functions!();
host_functions!(A1);
host_functions!(A1 A2);
host_functions!(A1 A2 A3);
host_functions!(A1 A2 A3 A4);
host_functions!(A1 A2 A3 A4 A5);
host_functions!(A1 A2 A3 A4 A5 A6);
host_functions!(A1 A2 A3 A4 A5 A6 A7);
host_functions!(A1 A2 A3 A4 A5 A6 A7 A8);

/// All workflows of a worker.
#[derive(Debug, Default)]
pub(crate) struct HostedWorkflows {
    by_name: RwLock<BTreeMap<WorkflowName, BTreeMap<u32, Arc<HostedWorkflow>>>>,
    /// What was asked for and is not hosted: told once, not once by each shard.
    missing: Mutex<BTreeSet<(String, u32)>>,
}

impl HostedWorkflows {
    /// Adds one; answers the one that was there with the same name and version.
    pub(crate) fn insert(&self, workflow: HostedWorkflow) -> Result<(), HostedWorkflow> {
        let mut by_name = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        let versions = by_name.entry(workflow.name.clone()).or_default();
        if versions.contains_key(&workflow.version) {
            return Err(workflow);
        }
        versions.insert(workflow.version, Arc::new(workflow));
        Ok(())
    }

    pub(crate) fn get(&self, name: &WorkflowName, version: u32) -> Option<Arc<HostedWorkflow>> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.get(name)?.get(&version).cloned()
    }

    /// All names and versions.
    pub(crate) fn versions(&self) -> Vec<(WorkflowName, u32)> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        let versions = by_name
            .iter()
            .flat_map(|(name, versions)| versions.keys().map(|version| (name.clone(), *version)));
        versions.collect()
    }

    /// The names of all.
    pub(crate) fn names(&self) -> Vec<WorkflowName> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name.keys().cloned().collect()
    }

    /// Notes that a workflow is not hosted in a version; true for the first one to note it.
    pub(crate) fn is_first_missing(&self, name: &str, version: u32) -> bool {
        let mut missing = self.missing.lock().unwrap_or_else(PoisonError::into_inner);
        missing.insert((name.to_owned(), version))
    }

    /// The version that a new instance takes.
    pub(crate) fn highest_version(&self, name: &WorkflowName) -> Option<u32> {
        let by_name = self.by_name.read().unwrap_or_else(PoisonError::into_inner);
        by_name
            .get(name)?
            .last_key_value()
            .map(|(version, _)| *version)
    }
}
