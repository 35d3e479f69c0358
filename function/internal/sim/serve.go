package sim

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"mime"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// maxBody is the longest request body that is read; SNS's limit of 256 KiB,
// form-encoded, fits thrice.
const maxBody = 2 << 20

// services are the services of the world, by their name in signatures.
var services map[string]service

func init() {
	services = map[string]service{
		"account": accountService, "ec2": ec2Service, "events": eventsService, "lambda": lambdaService, "s3": s3Service, "sns": snsService, "sts": stsService,
	}
}

func serviceNames() string { return strings.Join(slices.Sorted(maps.Keys(services)), ", ") }

// call is one request on its way through the world.
type call struct {
	scope
	world     *World
	service   string
	operation string
	body      []byte
	form      url.Values
	requestID string
	fault     Fault // the fault that hit it; the zero value if none

	parameters map[string]string // from the path
	header     http.Header
	query      url.Values
	seen       *region // what the call sees of its region
}

// breakage is a connection that breaks instead of an answer; the text is the
// kind of fault.
type breakage string

func (b breakage) Error() string { return "simulated fault: " + string(b) }

// handle answers one request: the one way in for ServeHTTP and Client. Its
// error is a breakage or the context's.
func (w *World) handle(ctx context.Context, r *http.Request) (reply, error) {
	body, form, err := readRequest(r)
	if err != nil {
		return service{protocol: awsQuery}.failure("", &apiError{http.StatusRequestEntityTooLarge, "RequestEntityTooLarge", err.Error()}), nil
	}
	if rep, ok := w.control(r); ok {
		return rep, nil
	}
	cred, signed := parseCredential(r.Header.Get("Authorization"))
	if !signed {
		cred.service = guessService(r, form)
	}
	svc, known := services[cred.service]
	if !known {
		svc = service{protocol: awsQuery}
	}
	c := &call{world: w, service: cred.service, body: body, form: form, header: r.Header, query: r.URL.Query()}
	c.operation, c.parameters = operationName(svc, r, form)
	index := w.arrive(c, cred)
	rep, err := c.answer(ctx, svc, signed, known)
	w.mu.Lock()
	w.calls[index].Status, w.calls[index].Code = rep.status, rep.code
	done := w.calls[index]
	w.mu.Unlock()
	if w.onCall != nil {
		w.onCall(done)
	}
	return rep, err
}

// arrive records the call and draws its fault.
func (w *World) arrive(c *call, cred credential) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	c.scope = scope{w.accountOf(cred.accessKey), cred.region}
	c.requestID = id(0, len(w.calls)+1)
	for _, f := range w.faults {
		if f.hits(c) {
			c.fault = f.Fault
			break
		}
	}
	w.calls = append(w.calls, Call{
		Time: w.now().UTC(), Account: c.account, Region: c.region,
		Service: c.service, Operation: c.operation, Actions: c.actions(), AccessKey: cred.accessKey, Resource: c.resource(), Fault: c.fault.Kind,
	})
	return len(w.calls) - 1
}

func (c *call) answer(ctx context.Context, svc service, signed, known bool) (reply, error) {
	refuse := func(e *apiError) (reply, error) { return svc.failure(c.requestID, e), nil }
	if !signed {
		code := "MissingAuthenticationToken"
		if svc.protocol == awsJSON || svc.protocol == restJSON {
			code += "Exception"
		}
		return refuse(&apiError{http.StatusForbidden, code, "Request is missing Authentication Token"})
	}
	if !known {
		return refuse(&apiError{http.StatusNotFound, "UnknownOperationException", "The simulated AWS has no service " + c.service + "."})
	}
	if c.fault.Kind != Late {
		if err := wait(ctx, time.Duration(c.fault.Delay)); err != nil {
			return reply{}, err
		}
	}
	switch c.fault.Kind {
	case Hang:
		<-ctx.Done()
		return reply{}, ctx.Err()
	case Reset, NoDNS, Refuse:
		return reply{}, breakage(c.fault.Kind)
	case Garbage:
		return newReply(http.StatusOK, "application/octet-stream", []byte("\x00\x9c{<not the protocol at all")), nil
	case HTML:
		return newReply(http.StatusNotFound, "text/html", []byte("<!DOCTYPE html>\n<html><head><title>404 Not Found</title></head><body><h1>Not Found</h1></body></html>\n")), nil
	}
	if e := c.fault.failure(c); e != nil {
		return refuse(e)
	}
	return c.run(svc)
}

// run performs the operation on the world's state.
func (c *call) run(svc service) (reply, error) {
	w := c.world
	w.mu.Lock()
	defer w.mu.Unlock()
	state := w.regions[c.scope]
	if state == nil || c.service == "account" && !w.partition.hasAccountAPIs {
		return reply{}, breakage(NoDNS)
	}
	if c.service != "account" && !answers(state.optIn) {
		return svc.failure(c.requestID, c.badToken()), nil
	}
	op, ok := svc.operations[c.operation]
	if !ok {
		return svc.failure(c.requestID, c.unknownOperation()), nil
	}
	c.remember(state)
	c.seen = state
	if c.fault.Kind == Late {
		c.seen = state.asOf(w.now(), time.Duration(c.fault.Delay))
	}
	result, e := op(c)
	if e != nil {
		return svc.failure(c.requestID, e), nil
	}
	if rep, ok := result.(reply); ok {
		rep.header.Set("X-Amz-Request-Id", c.requestID)
		return rep, nil
	}
	rep, err := svc.success(c.operation, c.requestID, result)
	if err != nil {
		return svc.failure(c.requestID, &apiError{http.StatusInternalServerError, "InternalFailure", err.Error()}), nil
	}
	return rep, nil
}

// readRequest reads the body, and the form of query protocols.
func readRequest(r *http.Request) ([]byte, url.Values, error) {
	var body []byte
	if r.Body != nil {
		var err error
		body, err = io.ReadAll(io.LimitReader(r.Body, maxBody+1))
		if err != nil {
			return nil, nil, err
		}
		if len(body) > maxBody {
			return nil, nil, errors.New("the request body is longer than 2 MiB")
		}
	}
	form := url.Values{}
	if mediaType, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type")); mediaType == "application/x-www-form-urlencoded" {
		form, _ = url.ParseQuery(string(body)) // what could be read is what was asked for
	} else if r.Method == http.MethodGet {
		form = r.URL.Query()
	}
	return body, form, nil
}

// ServeHTTP answers AWS requests and, unsigned, GET /_sim/calls (what [World.Calls]
// returns) and GET /_sim/messages ([World.Published]), both as JSON.
func (w *World) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	rep, err := w.handle(r.Context(), r)
	if err != nil {
		abort(rw)
		return
	}
	maps.Copy(rw.Header(), rep.header)
	rw.WriteHeader(rep.status)
	_, _ = rw.Write(rep.body) // a client that has gone needs no answer
}

// abort resets the connection, so that the client sees ECONNRESET rather than
// an orderly end.
func abort(rw http.ResponseWriter) {
	conn, _, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		rw.WriteHeader(http.StatusBadGateway)
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}

// control answers what a person or a test asks the simulation itself, unsigned:
// GET /_sim/calls and GET /_sim/messages, as JSON.
func (w *World) control(r *http.Request) (reply, bool) {
	if r.Header.Get("Authorization") != "" || !strings.HasPrefix(r.URL.Path, "/_sim/") {
		return reply{}, false
	}
	var answer any
	switch {
	case r.Method != http.MethodGet && r.Method != http.MethodHead:
		rep := newReply(http.StatusMethodNotAllowed, "application/json", []byte(`{"error":"only GET is allowed"}`+"\n"))
		rep.header.Set("Allow", "GET, HEAD")
		return rep, true
	case r.URL.Path == "/_sim/calls":
		answer = map[string]any{"calls": emptyList(w.Calls())}
	case r.URL.Path == "/_sim/messages":
		answer = map[string]any{"messages": emptyList(w.Published())}
	default:
		return newReply(http.StatusNotFound, "application/json", []byte(`{"error":"there are /_sim/calls and /_sim/messages"}`+"\n")), true
	}
	body, err := json.MarshalIndent(answer, "", "  ")
	if err != nil {
		return newReply(http.StatusInternalServerError, "text/plain", []byte(err.Error())), true
	}
	return newReply(http.StatusOK, "application/json", append(bytes.TrimSpace(body), '\n')), true
}

// emptyList lets JSON say [] rather than null.
func emptyList[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}
