package sim

import "net/http"

// denied is access denied in the service's words. why says which policy.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot_access-denied.html
func (c *call) denied(why string) *apiError {
	text := "User: " + c.caller() + " is not authorized to perform: " + c.action()
	if resource := c.resource(); resource != "" {
		text += " on resource: " + resource
	}
	text += " " + why
	switch c.service {
	case "events":
		return &apiError{http.StatusBadRequest, "AccessDeniedException", text}
	case "account", "lambda":
		return &apiError{http.StatusForbidden, "AccessDeniedException", text}
	case "s3":
		return &apiError{http.StatusForbidden, "AccessDenied", text}
	case "ec2":
		return &apiError{http.StatusForbidden, "UnauthorizedOperation", "You are not authorized to perform this operation. " + text}
	case "sns":
		return &apiError{http.StatusForbidden, "AuthorizationError", text}
	}
	return &apiError{http.StatusForbidden, "AccessDenied", text}
}

// badToken is what credentials get that a region does not know: bad ones, and
// good ones where the account has not enabled the region.
func (c *call) badToken() *apiError {
	const text = "The security token included in the request is invalid."
	switch c.service {
	case "events":
		return &apiError{http.StatusBadRequest, "UnrecognizedClientException", text}
	case "account", "lambda":
		return &apiError{http.StatusForbidden, "UnrecognizedClientException", text}
	case "ec2":
		return &apiError{http.StatusUnauthorized, "AuthFailure", "AWS was not able to validate the provided access credentials"}
	}
	return &apiError{http.StatusForbidden, "InvalidClientTokenId", text}
}

// unknownOperation is what a service says to an operation it does not have.
func (c *call) unknownOperation() *apiError {
	switch services[c.service].protocol {
	case awsJSON:
		return &apiError{http.StatusBadRequest, "UnknownOperationException", ""}
	case restJSON:
		return &apiError{http.StatusNotFound, "UnknownOperationException", ""}
	}
	return &apiError{http.StatusBadRequest, "InvalidAction", "The action " + c.operation + " is not valid for this web service."}
}

// action is the operation's name in policies: events:ListRules.
func (c *call) action() string { return services[c.service].prefix + ":" + c.operation }

// actions are what a policy must allow for the call: none to ask who one is,
// two to make a rule with tags.
// https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazoneventbridge.html
func (c *call) actions() []string {
	switch c.action() {
	case "s3:ListObjectsV2":
		return []string{"s3:ListBucket"}
	case "s3:HeadObject":
		return []string{"s3:GetObject"}
	case "sts:GetCallerIdentity":
		return nil
	case "events:PutRule", "events:CreateEventBus":
		if in, _ := decodeJSON[struct{ Tags []tagJSON }](c); len(in.Tags) > 0 {
			return []string{c.action(), "events:TagResource"}
		}
	}
	return []string{c.action()}
}

// caller is the ARN of who calls.
func (c *call) caller() string { return c.world.callerARN }
