package cloud

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"regexp"
	"strings"
	"syscall"

	"github.com/aws/aws-sdk-go-v2/aws/retry"
	awshttp "github.com/aws/aws-sdk-go-v2/aws/transport/http"
	"github.com/aws/smithy-go"
	smithyhttp "github.com/aws/smithy-go/transport/http"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
)

// credentialsError says that the SDK found no credentials to sign with, as opposed to AWS refusing them.
type credentialsError struct{ err error }

func (e *credentialsError) Error() string { return e.err.Error() }
func (e *credentialsError) Unwrap() error { return e.err }

// classify turns what an AWS call returned into a reason, once for the whole program. action is the call's IAM action,
// such as "events:ListRules"; ctx is the context of the call. Retries are over by now.
//
//	what the call ended with                                          reason
//	the context's end                                                 TIMEOUT
//	no credentials to sign with; a token or signature refused         INVALID_CREDENTIALS
//	access denied, naming a service control policy                    DENIED_BY_SCP
//	access denied otherwise                                           ACCESS_DENIED
//	a throttling code, HTTP 429                                       THROTTLED
//	no such host, no connection, no TLS, a connection cut             UNREACHABLE
//	5xx, an unknown code, an answer that is not the protocol          SERVICE_ERROR
func classify(ctx context.Context, err error, action string) *audit.Failure {
	fail := func(r audit.Reason, format string, args ...any) *audit.Failure {
		return &audit.Failure{Reason: r, Detail: oneLine(fmt.Sprintf(format, args...)), Err: err}
	}
	var credentials *credentialsError
	var api smithy.APIError
	var dns *net.DNSError
	var network net.Error
	var cut *cutError
	var answer *smithyhttp.ResponseError
	switch {
	case ctx.Err() != nil:
		return fail(audit.Timeout, "%s: no answer in time", action)
	case errors.As(err, &credentials):
		return fail(audit.InvalidCredentials, "no usable AWS credentials: %v", credentials)
	case errors.Is(err, errEndlessPages), errors.Is(err, errMalformed):
		return fail(audit.ServiceError, "%s: %v", action, err)
	case errors.As(err, &api) && api.ErrorCode() != "" && !isHTML(api):
		return classifyCode(err, api, action, fail)
	case errors.As(err, &answer) && answer.HTTPStatusCode() == http.StatusTooManyRequests:
		return fail(audit.Throttled, "%s: still throttled%s (HTTP 429)", action, attempts(err))
	case errors.As(err, &answer) && answer.HTTPStatusCode() >= 300:
		return fail(audit.ServiceError, "%s: HTTP status %d without an AWS error code", action, answer.HTTPStatusCode())
	case errors.As(err, &cut):
		return fail(audit.Unreachable, "%s: the connection was cut in the middle of the answer: %v", action, root(err))
	case strings.Contains(err.Error(), "malformed HTTP"): // net/http has no type for it
		return fail(audit.ServiceError, "%s: the answer is not HTTP", action)
	case errors.As(err, &dns):
		return fail(audit.Unreachable, "no such host: %s", dns.Name)
	case isCertificateError(err):
		return fail(audit.Unreachable, "%s: no trusted TLS connection: %v", action, root(err))
	case errors.Is(err, syscall.ECONNREFUSED):
		return fail(audit.Unreachable, "%s: connection refused", action)
	case errors.As(err, &network) && network.Timeout():
		return fail(audit.Unreachable, "%s: no connection within %s", action, connectTimeout)
	case isSendError(err):
		return fail(audit.Unreachable, "%s: connection failed: %v", action, root(err))
	default:
		return fail(audit.ServiceError, "%s: the answer could not be understood: %v", action, root(err))
	}
}

var accessDenied = map[string]bool{
	"AccessDenied": true, "AccessDeniedException": true, "UnauthorizedOperation": true, "AuthorizationError": true,
	"AuthorizationErrorException": true, "UnauthorizedException": true, "UnauthorizedAccess": true,
}

var tokenRefused = map[string]bool{
	"UnrecognizedClientException": true, "InvalidClientTokenId": true, "InvalidClientTokenIdException": true, "AuthFailure": true,
	"InvalidAccessKeyId": true, "MissingAuthenticationToken": true, "MissingAuthenticationTokenException": true,
	"IncompleteSignature": true, "IncompleteSignatureException": true, "OptInRequired": true, "RegionDisabledException": true,
	"InvalidToken": true, "NotSignedUp": true,
}

var tokenExpired = map[string]bool{"ExpiredToken": true, "ExpiredTokenException": true, "RequestExpired": true}

var signatureRefused = map[string]bool{
	"SignatureDoesNotMatch": true, "InvalidSignatureException": true, "RequestTimeTooSkewed": true,
}

func classifyCode(err error, api smithy.APIError, action string, fail func(audit.Reason, string, ...any) *audit.Failure) *audit.Failure {
	code, message := api.ErrorCode(), api.ErrorMessage()
	_, throttled := retry.DefaultThrottleErrorCodes[code]
	var answer *awshttp.ResponseError
	status := 0
	if errors.As(err, &answer) {
		status = answer.HTTPStatusCode()
	}
	switch {
	case accessDenied[code]:
		if m := deniedAction.FindStringSubmatch(message); m != nil {
			action = m[1]
		}
		if strings.Contains(strings.ToLower(message), "service control policy") {
			which := ""
			if m := policyARN.FindString(message); m != "" {
				which = " (" + m + ")"
			}
			if strings.Contains(message, "because no ") {
				return fail(audit.DeniedBySCP, "no service control policy allows %s", action)
			}
			return fail(audit.DeniedBySCP, "a service control policy denies %s%s", action, which)
		}
		because := ""
		if m := denialReason.FindStringSubmatch(message); m != nil {
			because = ": " + m[1]
		}
		return fail(audit.AccessDenied, "no permission for %s%s", action, because)
	case tokenExpired[code]:
		return fail(audit.InvalidCredentials, "%s: the credentials have expired (%s)", action, code)
	case signatureRefused[code]:
		return fail(audit.InvalidCredentials, "%s: the signature was refused (%s): wrong secret key, or a clock that is off", action, code)
	case tokenRefused[code]:
		return fail(audit.InvalidCredentials, "%s: the token was refused (%s)", action, code)
	case throttled || status == http.StatusTooManyRequests:
		return fail(audit.Throttled, "%s: still throttled%s (%s)", action, attempts(err), code)
	default:
		return fail(audit.ServiceError, "%s: %s (HTTP %d) %s", action, code, status, message)
	}
}

// attempts says how often a call was tried, where it was tried until the retries ran out.
func attempts(err error) string {
	var last *retry.MaxAttemptsError
	if errors.As(err, &last) {
		return fmt.Sprintf(" after %d attempts", last.Attempt)
	}
	return ""
}

var (
	// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
	deniedAction = regexp.MustCompile(`not authorized to perform: ([a-z0-9-]+:[A-Za-z0-9*]+)`)
	denialReason = regexp.MustCompile(`(?:because|with) ((?:no|an explicit deny in) [^\r\n]*)`)
	policyARN    = regexp.MustCompile(`arn:[a-z-]+:organizations::[0-9]{12}:policy/[A-Za-z0-9/_-]+`)
)

// isHTML reports whether the "code" is no code: a body that is not of the protocol, as a proxy's page, leaves the SDK
// with a placeholder.
func isHTML(api smithy.APIError) bool { return api.ErrorCode() == "UnknownError" }

func isCertificateError(err error) bool {
	var authority x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	return errors.As(err, &authority) || errors.As(err, &host) || errors.As(err, &invalid)
}

// isSendError reports whether the request or its answer broke off on the way.
func isSendError(err error) bool {
	var send *smithyhttp.RequestSendError
	var op *net.OpError
	return errors.As(err, &send) || errors.As(err, &op) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

// root returns the innermost error: the SDK's own wrapping names the operation, which the caller has said already.
func root(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}

// oneLine makes foreign text safe to print: no control characters, no second line, and not endless.
func oneLine(s string) string {
	const most = 400
	s = strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f || r == 0x2028 || r == 0x2029 || (r >= 0x80 && r < 0xa0) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "?"))), " ")
	if len(s) > most {
		s = strings.ToValidUTF8(s[:most], "") + "…"
	}
	return s
}
