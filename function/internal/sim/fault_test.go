package sim_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/account"
	"github.com/aws/aws-sdk-go-v2/service/ec2"
	"github.com/aws/aws-sdk-go-v2/service/eventbridge"
	"github.com/aws/aws-sdk-go-v2/service/sns"
	"github.com/aws/aws-sdk-go-v2/service/sts"

	"github.com/eventbridge-auditor/eventbridge-auditor/function/internal/sim"
)

func listRules(c *eventbridge.Client) error {
	_, err := c.ListRules(context.Background(), &eventbridge.ListRulesInput{})
	return err
}

// faulty is a world in which one kind of thing goes wrong.
func faulty(t *testing.T, f sim.Fault) *sim.World {
	t.Helper()
	return newWorld(t, sim.Scenario{Faults: []sim.Fault{f}, Topics: []string{topicARN}})
}

func TestFaultsSpeakEveryProtocol(t *testing.T) {
	tests := map[string]struct{ events, account, ec2, sns, sts string }{
		sim.Throttle:         {"ThrottlingException", "TooManyRequestsException", "RequestLimitExceeded", "Throttling", "Throttling"},
		sim.Deny:             {"AccessDeniedException", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AccessDenied"},
		sim.SCP:              {"AccessDeniedException", "AccessDeniedException", "UnauthorizedOperation", "AuthorizationError", "AccessDenied"},
		sim.InvalidToken:     {"UnrecognizedClientException", "UnrecognizedClientException", "AuthFailure", "InvalidClientTokenId", "InvalidClientTokenId"},
		sim.ExpiredToken:     {"ExpiredTokenException", "ExpiredTokenException", "RequestExpired", "ExpiredToken", "ExpiredToken"},
		sim.ServerError:      {"InternalFailure", "InternalFailure", "InternalError", "InternalFailure", "InternalFailure"},
		sim.Unavailable:      {"ServiceUnavailableException", "ServiceUnavailableException", "Unavailable", "ServiceUnavailable", "ServiceUnavailable"},
		sim.UnknownCode:      {"QuantumDecoherenceException", "QuantumDecoherenceException", "QuantumDecoherenceException", "QuantumDecoherenceException", "QuantumDecoherenceException"},
		sim.UnknownOperation: {"UnknownOperationException", "UnknownOperationException", "InvalidAction", "InvalidAction", "InvalidAction"},
	}
	for kind, want := range tests {
		t.Run(kind, func(t *testing.T) {
			ctx, w := context.Background(), faulty(t, sim.Fault{Kind: kind})
			wantCode(t, "events", listRules(eventsIn(w, "eu-west-1")), want.events)
			_, err := accountOf(w).ListRegions(ctx, &account.ListRegionsInput{})
			wantCode(t, "account", err, want.account)
			_, err = ec2In(w, "us-east-1").DescribeRegions(ctx, &ec2.DescribeRegionsInput{})
			wantCode(t, "ec2", err, want.ec2)
			_, err = snsIn(w, "us-east-1").Publish(ctx, &sns.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("m")})
			wantCode(t, "sns", err, want.sns)
			_, err = stsIn(w, "us-east-1").GetCallerIdentity(ctx, &sts.GetCallerIdentityInput{})
			wantCode(t, "sts", err, want.sts)
			for _, c := range w.Calls() {
				if c.Fault != kind || c.Code == "" || c.Status < 400 {
					t.Errorf("recorded as %+v", c)
				}
			}
		})
	}
}

func TestAccessDeniedTexts(t *testing.T) {
	const user = "User: arn:aws:sts::123456789012:assumed-role/eventbridge-auditor/simulated is not authorized to perform: "
	err := listRules(eventsIn(faulty(t, sim.Fault{Kind: sim.Deny}), "eu-west-1"))
	if want := user + "events:ListRules on resource: arn:aws:events:eu-west-1:123456789012:rule/* because no identity-based policy allows the events:ListRules action"; message(err) != want {
		t.Errorf("got  %s\nwant %s", message(err), want)
	}
	err = listRules(eventsIn(faulty(t, sim.Fault{Kind: sim.SCP}), "eu-west-1"))
	if want := "with an explicit deny in a service control policy: arn:aws:organizations::"; !strings.Contains(message(err), want) {
		t.Errorf("%q lacks %q", message(err), want)
	}
	w := faulty(t, sim.Fault{Kind: sim.Deny})
	_, err = eventsIn(w, "eu-west-1").PutTargets(context.Background(), &eventbridge.PutTargetsInput{
		Rule: aws.String("r"), EventBusName: aws.String("arn:aws:events:eu-west-1:123456789012:event-bus/orders"), Targets: targets("arn:aws:sqs:eu-west-1:123456789012:q")})
	if want := "on resource: arn:aws:events:eu-west-1:123456789012:rule/orders/r because"; !strings.Contains(message(err), want) {
		t.Errorf("%q lacks %q", message(err), want)
	}
}

func TestFaultsChooseTheirCalls(t *testing.T) {
	tests := map[string]struct {
		fault sim.Fault
		want  string // a letter a call of ListRules in eu-west-1: x is hit, . is not
	}{
		"for ever":          {sim.Fault{}, "xxxx"},
		"stars":             {sim.Fault{Account: "*", Region: "*", Service: "*", Operation: "*"}, "xxxx"},
		"twice":             {sim.Fault{Times: 2}, "xx.."},
		"after one":         {sim.Fault{After: 1}, ".xxx"},
		"once after two":    {sim.Fault{After: 2, Times: 1}, "..x."},
		"this region":       {sim.Fault{Region: "eu-west-1"}, "xxxx"},
		"another region":    {sim.Fault{Region: "eu-west-2"}, "...."},
		"another service":   {sim.Fault{Service: "sns"}, "...."},
		"this operation":    {sim.Fault{Service: "events", Operation: "ListRules"}, "xxxx"},
		"another operation": {sim.Fault{Operation: "PutRule"}, "...."},
		"another account":   {sim.Fault{Account: "999999999999"}, "...."},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			tt.fault.Kind = sim.Throttle
			w := faulty(t, tt.fault)
			got := ""
			for range 4 {
				if listRules(eventsIn(w, "eu-west-1")) == nil {
					got += "."
				} else {
					got += "x"
				}
			}
			if got != tt.want {
				t.Errorf("hits %s, want %s", got, tt.want)
			}
		})
	}
}

func TestFaultsCountEachRegionForItself(t *testing.T) {
	w := faulty(t, sim.Fault{Kind: sim.Throttle, Times: 1})
	for _, region := range []string{"eu-west-1", "eu-west-2"} {
		wantCode(t, region, listRules(eventsIn(w, region)), "ThrottlingException")
		wantCode(t, region, listRules(eventsIn(w, region)), "")
	}
	w.ClearFaults()
	if err := w.AddFault(sim.Fault{Kind: sim.Deny}); err != nil || len(w.Faults()) != 1 {
		t.Errorf("faults %v, %v", w.Faults(), err)
	}
	if err := w.AddFault(sim.Fault{Kind: "gremlin"}); err == nil {
		t.Error("an unknown kind is taken")
	}
}

func TestHangEndsWithTheContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := faulty(t, sim.Fault{Kind: sim.Hang}), time.Now()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		_, err := eventsIn(w, "eu-west-1").ListRules(ctx, &eventbridge.ListRulesInput{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 10*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		if c := w.Calls()[0]; c.Status != 0 || c.Fault != "hang" {
			t.Errorf("recorded as %+v", c)
		}
	})
}

func TestSlowAnswersAfterItsDelay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, start := faulty(t, sim.Fault{Kind: sim.Slow, Delay: sim.Duration(3 * time.Second)}), time.Now()
		if err := listRules(eventsIn(w, "eu-west-1")); err != nil || time.Since(start) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		_, err := eventsIn(w, "eu-west-1").ListRules(ctx, &eventbridge.ListRulesInput{})
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 4*time.Second {
			t.Errorf("%v after %v", err, time.Since(start))
		}
	})
}

func TestBrokenConnectionsInProcess(t *testing.T) {
	if err := listRules(eventsIn(faulty(t, sim.Fault{Kind: sim.Reset}), "eu-west-1")); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("reset: %v", err)
	}
	err := listRules(eventsIn(faulty(t, sim.Fault{Kind: sim.Refuse}), "eu-west-1"))
	var op *net.OpError
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &op) || op.Op != "dial" {
		t.Errorf("refuse: %v", err)
	}
	err = listRules(eventsIn(faulty(t, sim.Fault{Kind: sim.NoDNS}), "eu-west-1"))
	var dns *net.DNSError
	if !errors.As(err, &dns) || !dns.IsNotFound || dns.Name != "events.eu-west-1.amazonaws.com" {
		t.Errorf("no-dns: %v", err)
	}
	if err := listRules(eventsIn(faulty(t, sim.Fault{Kind: sim.Slow, Delay: 1}), "eu-mars-1")); !errors.As(err, &dns) {
		t.Errorf("a region that does not exist: %v", err)
	}
}

func TestAnswersThatAreNoAnswers(t *testing.T) {
	for _, kind := range []string{sim.Garbage, sim.HTML} {
		w := faulty(t, sim.Fault{Kind: kind})
		if err := listRules(eventsIn(w, "eu-west-1")); err == nil {
			t.Errorf("%s: no error from events", kind)
		}
		if _, err := accountOf(w).ListRegions(context.Background(), &account.ListRegionsInput{}); err == nil {
			t.Errorf("%s: no error from account", kind)
		}
	}
}

func TestEndlessLists(t *testing.T) {
	seen := map[string]bool{}
	for kind, items := range map[string]int{sim.EndlessPages: 0, sim.SameToken: 1} {
		w := faulty(t, sim.Fault{Kind: kind})
		in, tokens := &eventbridge.ListEventBusesInput{}, map[string]bool{}
		for range 5 {
			out, err := eventsIn(w, "eu-west-1").ListEventBuses(context.Background(), in)
			if err != nil || out.NextToken == nil || len(out.EventBuses) != items {
				t.Fatalf("%s: %+v, %v", kind, out, err)
			}
			in.NextToken, tokens[*out.NextToken] = out.NextToken, true
		}
		seen[kind] = len(tokens) == 5
	}
	if !seen[sim.EndlessPages] || seen[sim.SameToken] {
		t.Errorf("every token another one: %v", seen)
	}
}

func TestFailedEntries(t *testing.T) {
	w := newWorld(t, sim.Scenario{Faults: []sim.Fault{{Kind: sim.FailedEntries}},
		OtherRegions: &sim.Region{Buses: map[string][]sim.Rule{"default": {{Name: "r"}}}}})
	out, err := eventsIn(w, "eu-west-1").PutTargets(context.Background(), &eventbridge.PutTargetsInput{Rule: aws.String("r"), Targets: targets("arn:aws:sqs:eu-west-1:123456789012:q")})
	if err != nil || out.FailedEntryCount != 1 || len(w.Rules("eu-west-1")["default"][0].Targets) != 0 {
		t.Errorf("%+v, %v", out, err)
	}
}

func TestOverLoopback(t *testing.T) {
	w := loadWorld(t, "faults")
	region := func(name string) error { return listRules(eventbridge.NewFromConfig(serve(t, w, name))) }
	wantCode(t, "fine", region("us-east-1"), "")
	wantCode(t, "throttle", region("us-east-2"), "ThrottlingException")
	for _, name := range []string{"ap-southeast-1", "ap-southeast-2", "ca-central-1", "eu-mars-1"} {
		if err := region(name); !errors.Is(err, syscall.ECONNRESET) && !errors.Is(err, io.EOF) {
			t.Errorf("%s: want a reset connection, got %v", name, err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	_, err := eventbridge.NewFromConfig(serve(t, w, "ap-northeast-2")).ListRules(ctx, &eventbridge.ListRulesInput{})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("hang: %v", err)
	}
	_, err = sns.NewFromConfig(serve(t, w, "us-east-1")).Publish(t.Context(), &sns.PublishInput{TopicArn: aws.String(topicARN), Message: aws.String("m")})
	wantCode(t, "sns", err, "")
	_, err = ec2.NewFromConfig(serve(t, w, "us-east-1")).DescribeRegions(t.Context(), &ec2.DescribeRegionsInput{})
	wantCode(t, "ec2", err, "")
	_, err = account.NewFromConfig(serve(t, w, "eu-west-1")).ListRegions(t.Context(), &account.ListRegionsInput{})
	wantCode(t, "account", err, "")

	cfg := serve(t, w, "us-east-1")
	for path, want := range map[string]string{"/_sim/calls": `"operation": "ListRules"`, "/_sim/messages": `"message": "m"`, "/_sim/x": "/_sim/calls"} {
		resp, err := cfg.HTTPClient.(*http.Client).Get(*cfg.BaseEndpoint + path)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(resp.Body)
		resp.Body.Close()
		if !strings.Contains(string(body), want) || resp.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%s answers %s", path, body)
		}
	}
}
