//! The only door for the macros: what generated code names. No promise is made about any of it.

pub use crate::client::{Start, WorkflowHandle, WorkflowProxy};
pub use crate::contract::{
    ArgReader, C, FunctionMarker, MethodContract, ServiceContract, Tagged, TaskContract,
    TaskFuture, TaskResult, Undecodable, WorkflowContract, encode_args, finish_result,
    finish_value, method_contract, task_contract,
};
pub use crate::error_codec;
pub use crate::failure::{
    Argument, ErrorCodec, Failure, FromFailure, Never, NotResult, ResultParts, RetryHint,
    ReturnProbe, TaskError, assert_argument, assert_plain_return, assert_value, own_error,
};
pub use crate::service::{
    ExponentialRetry, RetryPolicy, RetrySetting, Service, ServiceFunction, TaskHandler, TaskPolicy,
};
pub use crate::workflow::{
    Binder, Call, MethodHandler, ServiceProxy, ServiceStub, Workflow, WorkflowFunction,
    WorkflowStruct,
};
pub use infinitic_core::Payload;
