package cloud_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/audit"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/cloud"
	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/notify"
)

// script answers each EventBridge request with what stands under its operation, its event bus and its rule:
// "ListRules", "ListRules orders", "ListTargetsByRule orders/a".
type script struct {
	answers  map[string]string
	requests []string
}

func (s *script) Do(r *http.Request) (*http.Response, error) {
	var in struct {
		EventBusName, Rule string
		Limit              int
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, err
	}
	if err := json.Unmarshal(body, &in); err != nil {
		return nil, err
	}
	_, operation, _ := strings.Cut(r.Header.Get("X-Amz-Target"), ".")
	key := strings.Trim(operation+" "+strings.Trim(in.EventBusName+"/"+in.Rule, "/"), " ")
	s.requests = append(s.requests, fmt.Sprintf("%s limit %d", key, in.Limit))
	text, ok := s.answers[key]
	if !ok {
		text = `{"__type":"ResourceNotFoundException","message":"does not exist"}`
	}
	status := http.StatusOK
	if strings.Contains(text, "__type") {
		status = http.StatusBadRequest
	}
	return answer{status: status, body: text}.Do(r)
}

func inspect(t *testing.T, s *script, p audit.Policy) audit.Evaluation {
	t.Helper()
	session := cloud.OpenStatic(cloud.Static{HTTPClient: s, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	return audit.Run(t.Context(), []audit.Candidate{{Scope: audit.Scope{Account: "123456789012", Region: "eu-west-1"}, OptIn: audit.OptInEnabled}}, session,
		audit.Options{Policy: p, Concurrency: 1, RegionTimeout: time.Minute, Now: time.Now})[0]
}

func TestReading(t *testing.T) {
	const (
		noRules  = `{"Rules":[]}`
		buses    = `{"EventBuses":[{"Name":"default"},{"Name":"orders"}]}`
		enabledA = `{"Rules":[{"Name":"a","State":"ENABLED"}]}`
	)
	for _, test := range []struct {
		name    string
		policy  audit.Policy
		answers map[string]string
		reason  audit.Reason
		detail  string
	}{
		{"targets are asked on the rule's own bus, though the answer does not name it", audit.Strict, map[string]string{
			"ListRules": `{"Rules":[{"Name":"a","State":"DISABLED"}]}`, "ListEventBuses": buses, "ListRules orders": enabledA,
			"ListTargetsByRule a": `{"Targets":[{"Id":"1","Arn":"arn:aws:sqs:eu-west-1:123456789012:q"}]}`, "ListTargetsByRule orders/a": `{"Targets":[]}`,
		}, audit.OnlyTargetlessRules, "1 active rule, none with a target"},
		{"a bus that is gone by now had no rules", audit.Conformity, map[string]string{"ListRules": noRules, "ListEventBuses": buses}, audit.NoRules, ""},
		{"the default bus cannot be gone", audit.Conformity, map[string]string{"ListEventBuses": buses, "ListRules orders": noRules}, audit.ServiceError, "ResourceNotFoundException"},
		{"a rule that is gone by now has no target", audit.Strict, map[string]string{"ListRules": enabledA, "ListEventBuses": buses, "ListRules orders": noRules}, audit.OnlyTargetlessRules, ""},
		{"a page without a list of rules", audit.Conformity, map[string]string{"ListRules": `{}`}, audit.ServiceError, "events:ListRules: the answer is malformed"},
		{"an empty answer", audit.Conformity, map[string]string{"ListRules": ``}, audit.ServiceError, "events:ListRules: the answer is malformed"},
		{"no list of buses", audit.Conformity, map[string]string{"ListRules": noRules, "ListEventBuses": `{"message":"hi"}`}, audit.ServiceError, "events:ListEventBuses: the answer is malformed"},
		{"no list of targets", audit.Strict, map[string]string{"ListRules": enabledA, "ListTargetsByRule a": `{}`}, audit.ServiceError, "events:ListTargetsByRule: the answer is malformed"},
		{"buses in a circle", audit.Conformity, map[string]string{"ListRules": noRules, "ListRules orders": noRules, "ListEventBuses": `{"EventBuses":[{"Name":"orders"}],"NextToken":"again"}`},
			audit.ServiceError, "events:ListEventBuses: endless pages"},
		{"the denied action is the one that AWS names", audit.Conformity, map[string]string{
			"ListRules": `{"__type":"AccessDeniedException","message":"User: x is not authorized to perform: events:DescribeEventBus on resource: y"}`,
		}, audit.AccessDenied, "no permission for events:DescribeEventBus"},
		{"a refused token under EC2's name", audit.Conformity, map[string]string{"ListRules": `{"__type":"AuthFailure","message":"no"}`}, audit.InvalidCredentials, "(AuthFailure)"},
		{"no SCP allows it", audit.Conformity, map[string]string{"ListRules": `{"__type":"AccessDeniedException","message":"x is not authorized to perform: events:ListRules because no service control policy allows the events:ListRules action"}`},
			audit.DeniedBySCP, "no service control policy allows events:ListRules"},
	} {
		t.Run(test.name, func(t *testing.T) {
			s := &script{answers: test.answers}
			e := inspect(t, s, test.policy)
			if e.Reason != test.reason || !strings.Contains(e.Detail, test.detail) {
				t.Errorf("got %s %q, want %s %q; requests %q", e.Reason, e.Detail, test.reason, test.detail, s.requests)
			}
			if !strings.HasSuffix(s.requests[0], "limit 100") {
				t.Errorf("the first page is smaller than it could be: %s", s.requests[0])
			}
		})
	}
}

// farLists answers tokens in a circle, with a little latency.
func TestACircleOfTokens(t *testing.T) {
	n := 0
	client := clientFunc(func(r *http.Request) (*http.Response, error) {
		n++
		return answer{status: 200, body: fmt.Sprintf(`{"Rules":[],"NextToken":"%d"}`, n%2)}.Do(r)
	})
	session := cloud.OpenStatic(cloud.Static{HTTPClient: client, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	_, err := session.Inspect(t.Context(), audit.Candidate{Scope: audit.Scope{Region: "eu-west-1"}}, audit.Conformity)
	if err == nil || !strings.Contains(err.Error(), "the same page token came twice") || n > 3 {
		t.Errorf("%d requests, %v", n, err)
	}
}

type clientFunc func(*http.Request) (*http.Response, error)

func (f clientFunc) Do(r *http.Request) (*http.Response, error) { return f(r) }

// A region list that makes no sense is not believed in part.
func TestRegionListsThatMakeNoSense(t *testing.T) {
	for name, body := range map[string]string{
		"nothing": `{}`, "an empty list": `{"Regions":[]}`, "another partition": `{"Regions":[{"RegionName":"cn-north-1","RegionOptStatus":"ENABLED"}]}`,
		"no name": `{"Regions":[{"RegionName":"x/../y","RegionOptStatus":"ENABLED"}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			client := clientFunc(func(r *http.Request) (*http.Response, error) {
				if strings.HasPrefix(r.URL.Host, "account.") {
					return answer{status: 200, body: body, header: map[string]string{"Content-Type": "application/json"}}.Do(r)
				}
				return answer{status: 200, header: map[string]string{"Content-Type": "text/xml"}, body: `<DescribeRegionsResponse><regionInfo><item><regionName>us-newthing-east1-1</regionName>` +
					`<optInStatus>opted-in</optInStatus></item><item><regionName>cn-north-1</regionName><optInStatus>opted-in</optInStatus></item></regionInfo></DescribeRegionsResponse>`}.Do(r)
			})
			session := cloud.OpenStatic(cloud.Static{HTTPClient: client, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
			list, err := session.Regions(t.Context(), audit.Identity{Account: "123456789012", Partition: "aws"}, nil)
			if err != nil || list.Source != audit.SourceEC2 || len(list.Regions) != 1 || list.Regions[0].Name != "us-newthing-east1-1" || len(list.Warnings) != 1 {
				t.Errorf("%+v, %v", list, err)
			}
		})
	}
}

// Each question has its own service region: the topic's, and the account service's one region of a partition.
func TestTheRegionOfAQuestion(t *testing.T) {
	var hosts []string
	client := clientFunc(func(r *http.Request) (*http.Response, error) {
		hosts = append(hosts, r.URL.Host)
		return answer{status: 400, body: `{}`}.Do(r)
	})
	session := cloud.OpenStatic(cloud.Static{HTTPClient: client, AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	session.Publish(t.Context(), "arn:aws:sns:eu-west-3:123456789012:alerts", notify.Message{Body: "{}"})
	session.Regions(t.Context(), audit.Identity{Partition: "aws-cn"}, nil)
	session.Identify(t.Context())
	if got := strings.Join(hosts, " "); got != "sns.eu-west-3.amazonaws.com account.cn-northwest-1.amazonaws.com.cn ec2.us-east-1.amazonaws.com sts.us-east-1.amazonaws.com" {
		t.Errorf("asked %s", got)
	}
}

func TestAnIdentityThatIsNone(t *testing.T) {
	client := clientFunc(func(r *http.Request) (*http.Response, error) {
		return answer{status: 200, header: map[string]string{"Content-Type": "text/xml"}, body: `<GetCallerIdentityResponse><GetCallerIdentityResult><Arn>me</Arn></GetCallerIdentityResult></GetCallerIdentityResponse>`}.Do(r)
	})
	session := cloud.OpenStatic(cloud.Static{HTTPClient: client, Region: "us-east-1", AccessKeyID: "AKIAIOSFODNN7EXAMPLE", SecretAccessKey: "secret"})
	if _, err := session.Identify(t.Context()); err == nil || !strings.Contains(err.Error(), `without a valid ARN ("me")`) {
		t.Errorf("got %v", err)
	}
}

// An answer that breaks off is a cut connection and worth a retry; one that comes whole and makes no sense is neither.
func TestAnAnswerThatBreaksOff(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		requests++
		w.Header().Set("Content-Length", "1000")
		io.WriteString(w, `{"Rules":[`)
		if c, _, err := http.NewResponseController(w).Hijack(); err == nil {
			c.Close()
		}
	}))
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	t.Setenv("AWS_MAX_ATTEMPTS", "2")
	session, err := cloud.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = session.Inspect(t.Context(), audit.Candidate{Scope: audit.Scope{Region: "eu-west-1"}}, audit.Conformity)
	var failure *audit.Failure
	if !errors.As(err, &failure) || failure.Reason != audit.Unreachable || requests != 2 {
		t.Errorf("%d requests, %v", requests, err)
	}
}

func TestNotHTTPAtAll(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			// A request that is answered before it is sent whole may come out as a cut connection instead.
			if request, err := http.ReadRequest(bufio.NewReader(c)); err == nil {
				io.Copy(io.Discard, request.Body)
			}
			io.WriteString(c, "SSH-2.0-OpenSSH_9.9\r\n")
			c.Close()
		}
	}()
	t.Setenv("AWS_ENDPOINT_URL", "http://"+listener.Addr().String())
	t.Setenv("AWS_MAX_ATTEMPTS", "1")
	session, err := cloud.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	_, err = session.Inspect(t.Context(), audit.Candidate{Scope: audit.Scope{Region: "eu-west-1"}}, audit.Conformity)
	var failure *audit.Failure
	if !errors.As(err, &failure) || failure.Reason != audit.ServiceError || !strings.Contains(failure.Detail, "not HTTP") {
		t.Errorf("got %v", err)
	}
}

// Close ends the connections that a frozen function would find dead.
func TestCloseEndsIdleConnections(t *testing.T) {
	closed := make(chan struct{}, 100)
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body) // answered before it is sent whole, the client would not keep the connection
		io.WriteString(w, `{"Rules":[{"Name":"a","State":"ENABLED"}]}`)
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateClosed {
			closed <- struct{}{}
		}
	}
	server.Start()
	defer server.Close()
	t.Setenv("AWS_ENDPOINT_URL", server.URL)
	session, err := cloud.Open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	// A connection whose answer overtakes the end of its request is not kept, now and then; then there is none to close.
	alive := false
	for try := 0; try < 20 && !alive; try++ {
		if _, err := session.Inspect(t.Context(), audit.Candidate{Scope: audit.Scope{Region: "eu-west-1"}}, audit.Conformity); err != nil {
			t.Fatal(err)
		}
		select {
		case <-closed:
		case <-time.After(50 * time.Millisecond):
			alive = true
		}
	}
	if !alive {
		t.Fatal("no connection was kept alive")
	}
	session.Close()
	select {
	case <-closed:
	case <-time.After(5 * time.Second):
		t.Error("the connection is still open")
	}
}

func TestBadEndpoint(t *testing.T) {
	t.Setenv("AWS_ENDPOINT_URL", "127.0.0.1:4599")
	if _, err := cloud.Open(context.Background()); err == nil || !strings.Contains(err.Error(), `AWS_ENDPOINT_URL: want http://HOST:PORT or https://HOST, got "127.0.0.1:4599"`) {
		t.Errorf("got %v", err)
	}
}
