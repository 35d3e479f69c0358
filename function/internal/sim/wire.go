package sim

import (
	"cmp"
	"encoding/json"
	"encoding/xml"
	"net/http"
	"net/url"
	"strings"
)

// protocol is how a service puts operations, results and errors on the wire.
type protocol int

const (
	awsJSON  protocol = iota // X-Amz-Target and JSON, as EventBridge
	restJSON                 // a path and JSON, as Account Management
	awsQuery                 // a form with an Action, answered in XML, as SNS and STS
	ec2Query                 // the same with EC2's envelopes
	restXML                  // a path and headers, answered as it comes or in XML, as S3
)

// service is one AWS service: what it is called in signatures, targets,
// policies, and what it can do.
type service struct {
	protocol   protocol
	target     string // X-Amz-Target's prefix
	namespace  string // of XML answers
	prefix     string // of actions in policies and in access-denied texts
	operations map[string]operation
	paths      map[string]string // restJSON: operation by path, where all are POST
	statuses   map[string]int    // restJSON: of successes that are not 200
	// route is for a restJSON service whose paths hold parameters.
	route func(method, path string) (operation string, parameters map[string]string)
}

// operation answers one call. A nil result is an empty one.
type operation func(c *call) (any, *apiError)

// apiError is an error as AWS answers it.
type apiError struct {
	status        int
	code, message string
}

// reply is an HTTP answer that is yet to be written.
type reply struct {
	status int
	header http.Header
	body   []byte
	code   string // the AWS error code, for the record of calls
}

func newReply(status int, contentType string, body []byte) reply {
	h := http.Header{}
	h.Set("Content-Type", contentType)
	return reply{status: status, header: h, body: body}
}

// credential is what the signature's scope says.
type credential struct{ accessKey, region, service string }

// parseCredential reads a Signature Version 4 Authorization header. The
// signature itself is not verified.
// https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_sigv-create-signed-request.html
func parseCredential(header string) (credential, bool) {
	_, rest, ok := strings.Cut(header, "Credential=")
	if !ok || !strings.HasPrefix(header, "AWS4-") {
		return credential{}, false
	}
	value, _, _ := strings.Cut(rest, ",")
	parts := strings.Split(strings.TrimSpace(value), "/")
	n := len(parts)
	if n < 5 || parts[n-1] != "aws4_request" || parts[n-2] == "" || parts[n-3] == "" {
		return credential{}, false
	}
	return credential{accessKey: strings.Join(parts[:n-4], "/"), region: parts[n-3], service: parts[n-2]}, true
}

// guessService names the service of an unsigned request, so that the refusal
// comes in the caller's protocol.
func guessService(r *http.Request, form url.Values) string {
	if target, _, ok := strings.Cut(r.Header.Get("X-Amz-Target"), "."); ok && target == services["events"].target {
		return "events"
	}
	if _, ok := services["account"].paths[r.URL.Path]; ok {
		return "account"
	}
	if strings.HasPrefix(r.URL.Path, lambdaPath) {
		return "lambda"
	}
	for _, name := range []string{"ec2", "sns", "sts"} {
		if _, ok := services[name].operations[form.Get("Action")]; ok {
			return name
		}
	}
	return ""
}

// operationName reads which operation a request asks for, and the parameters
// that its path holds.
func operationName(s service, r *http.Request, form url.Values) (string, map[string]string) {
	if s.route != nil {
		return s.route(r.Method, r.URL.EscapedPath())
	}
	if s.protocol == restXML {
		return s3Route(r)
	}
	switch s.protocol {
	case awsJSON:
		prefix, name, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
		if prefix != s.target {
			return "", nil
		}
		return name, nil
	case restJSON:
		if r.Method != http.MethodPost {
			return "", nil
		}
		return s.paths[r.URL.Path], nil
	}
	return form.Get("Action"), nil
}

// success puts an operation's result on the wire.
func (s service) success(operation, requestID string, result any) (reply, error) {
	switch s.protocol {
	case awsJSON:
		if result == nil {
			r := newReply(http.StatusOK, "application/x-amz-json-1.1", nil)
			r.header.Set("X-Amzn-Requestid", requestID)
			return r, nil
		}
		body, err := json.Marshal(result)
		r := newReply(http.StatusOK, "application/x-amz-json-1.1", body)
		r.header.Set("X-Amzn-Requestid", requestID)
		return r, err
	case restJSON:
		var body []byte
		var err error
		if result != nil {
			body, err = json.Marshal(result)
		}
		r := newReply(cmp.Or(s.statuses[operation], http.StatusOK), "application/json", body)
		r.header.Set("X-Amzn-Requestid", requestID)
		return r, err
	case ec2Query:
		var inner strings.Builder
		inner.WriteString("<requestId>" + requestID + "</requestId>")
		err := encodeMembers(&inner, result)
		return xmlReply(http.StatusOK, requestID, envelope(operation+"Response", s.namespace, inner.String())), err
	}
	var inner strings.Builder
	if result != nil {
		inner.WriteString("<" + operation + "Result>")
		if err := encodeMembers(&inner, result); err != nil {
			return reply{}, err
		}
		inner.WriteString("</" + operation + "Result>")
	}
	inner.WriteString("<ResponseMetadata><RequestId>" + requestID + "</RequestId></ResponseMetadata>")
	return xmlReply(http.StatusOK, requestID, envelope(operation+"Response", s.namespace, inner.String())), nil
}

// failure puts an error on the wire. The service's zero value speaks awsQuery,
// which is what AWS's front end falls back to.
func (s service) failure(requestID string, e *apiError) reply {
	var r reply
	switch s.protocol {
	case awsJSON, restJSON:
		fields := map[string]string{"message": e.message}
		contentType := "application/json"
		if s.protocol == awsJSON {
			fields["__type"] = e.code
			contentType = "application/x-amz-json-1.1"
		}
		body, _ := json.Marshal(fields)
		r = newReply(e.status, contentType, body)
		r.header.Set("X-Amzn-Requestid", requestID)
		if s.protocol == restJSON {
			r.header.Set("X-Amzn-Errortype", e.code)
		}
	case restXML:
		r = xmlReply(e.status, requestID, "<Error>"+element("Code", e.code)+element("Message", e.message)+element("RequestId", requestID)+"</Error>")
	case ec2Query:
		r = xmlReply(e.status, requestID, "<Response><Errors><Error>"+element("Code", e.code)+element("Message", e.message)+
			"</Error></Errors>"+element("RequestID", requestID)+"</Response>")
	default:
		kind := "Sender"
		if e.status >= http.StatusInternalServerError {
			kind = "Receiver"
		}
		r = xmlReply(e.status, requestID, envelope("ErrorResponse", s.namespace,
			"<Error>"+element("Type", kind)+element("Code", e.code)+element("Message", e.message)+"</Error>"+
				element("RequestId", requestID)))
	}
	r.code = e.code
	return r
}

func xmlReply(status int, requestID, body string) reply {
	r := newReply(status, "text/xml;charset=UTF-8", []byte(xml.Header+body))
	r.header.Set("X-Amzn-Requestid", requestID)
	return r
}

func envelope(name, namespace, inner string) string {
	if namespace == "" {
		return "<" + name + ">" + inner + "</" + name + ">"
	}
	return "<" + name + ` xmlns="` + namespace + `">` + inner + "</" + name + ">"
}

func element(name, text string) string {
	var b strings.Builder
	b.WriteString("<" + name + ">")
	_ = xml.EscapeText(&b, []byte(text)) // a strings.Builder does not fail
	b.WriteString("</" + name + ">")
	return b.String()
}

// encodeMembers writes a result's members without an element around them.
func encodeMembers(out *strings.Builder, result any) error {
	var b strings.Builder
	if err := xml.NewEncoder(&b).EncodeElement(result, xml.StartElement{Name: xml.Name{Local: "r"}}); err != nil {
		return err
	}
	out.WriteString(strings.TrimSuffix(strings.TrimPrefix(b.String(), "<r>"), "</r>"))
	return nil
}
