// Package offline keeps tests off the network. It is for tests alone, and the import law keeps it out of both programs.
package offline

import "os"

// Guard makes sure that no test of this process reaches AWS, whatever machine it runs on: credentials become AWS's own
// example ones, no shared file and no instance metadata is read, and every request that is not for loopback is sent to a
// proxy on a loopback port that nobody listens on, so that it fails at once, before any name is resolved. Call it first
// thing in TestMain.
func Guard() {
	for _, name := range []string{
		"AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_ENDPOINT_URL",
		"AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_AUTHORIZATION_TOKEN", "AWS_CA_BUNDLE",
		"AWS_MAX_ATTEMPTS", "AWS_RETRY_MODE", "AWS_DEFAULT_REGION", "AWS_USE_FIPS_ENDPOINT", "AWS_USE_DUALSTACK_ENDPOINT",
		"REGIONS", "EXCLUDE_REGIONS", "COMPLIANCE_POLICY", "TOPIC_ARN", "NOTIFY_ON", "MODE", "CONCURRENCY", "REGION_TIMEOUT",
		"REMEDIATION_RULE_NAME", "REMEDIATION_SCHEDULE", "REMEDIATION_EVENT_PATTERN", "REMEDIATION_TARGET_FUNCTION", "REMEDIATION_STATEMENT_ID",
		"REMEDIATION_TARGET_ID", "REMEDIATION_LIMIT", "STORE", "REMINDER_INTERVAL", "EXCEPTIONS",
	} {
		os.Unsetenv(name)
	}
	for name, value := range map[string]string{
		"AWS_ACCESS_KEY_ID":           "AKIAIOSFODNN7EXAMPLE",
		"AWS_SECRET_ACCESS_KEY":       "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
		"AWS_REGION":                  "us-east-1",
		"AWS_CONFIG_FILE":             os.DevNull,
		"AWS_SHARED_CREDENTIALS_FILE": os.DevNull,
		"AWS_EC2_METADATA_DISABLED":   "true",
	} {
		os.Setenv(name, value)
	}
	for _, name := range []string{"HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy"} {
		os.Setenv(name, DeadProxy)
	}
	for _, name := range []string{"NO_PROXY", "no_proxy"} {
		os.Setenv(name, "127.0.0.1,localhost,::1")
	}
}

// DeadProxy is where every request goes that is not for loopback: port 1, which is never given out to a listener that did
// not ask for it.
const DeadProxy = "http://127.0.0.1:1"
