// Package sim is a simulated AWS: an [http.Handler] that speaks the wire
// protocols of the services the auditor uses, so that the unmodified AWS SDK
// and the AWS CLI work against it, in process or over loopback.
//
// It exists so that tests, the demo and the simulate command run the very code
// that runs in production (endpoints, signing, paging, retries and typed errors
// included) without an account and without a network. It knows regions and
// their opt-in states, event buses, rules, targets, topics, quotas and faults;
// it refuses what AWS refuses, and it remembers every call.
//
// What it may not do: import anything but the standard library, open a
// connection, or be imported by the Lambda function. A production auditor must
// not be able to audit an imaginary account. Signatures are read for the
// region, the service and the access key, and are not verified.
//
// A [Scenario] is the data a [World] starts from. Worlds share nothing.
package sim
