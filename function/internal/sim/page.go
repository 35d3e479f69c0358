package sim

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
)

// page cuts one page out of the sorted items of a list operation. size is what
// the caller asked for, or the service's default. A token is bound to the call
// that it came from: to the account, region, operation and parameters; another
// call's token is refused.
func page[T any](c *call, items []T, name func(T) string, size int, token string, params ...string) ([]T, string, bool) {
	switch c.fault.Kind {
	case EndlessPages:
		return nil, c.token(params, c.requestID), true
	case SameToken:
		token = ""
	}
	after := ""
	if token != "" {
		position, ok := c.position(token, params)
		if !ok {
			return nil, "", false
		}
		after = position
	}
	start := 0
	for start < len(items) && token != "" && name(items[start]) <= after {
		start++
	}
	items = items[start:]
	if limit := c.world.scenario.PageSize; limit > 0 {
		size = min(size, limit)
	}
	next := ""
	if len(items) > size {
		items = items[:size]
		next = c.token(params, name(items[size-1]))
	}
	if c.fault.Kind == SameToken {
		next = c.token(params, "")
	}
	return items, next, true
}

// token seals a position, the name of the last item that was answered.
func (c *call) token(params []string, position string) string {
	return base64.URLEncoding.EncodeToString([]byte(c.seal(params, position) + position))
}

func (c *call) position(token string, params []string) (string, bool) {
	b, err := base64.URLEncoding.DecodeString(token)
	if err != nil || len(b) < sealSize {
		return "", false
	}
	position := string(b[sealSize:])
	return position, c.seal(params, position) == string(b[:sealSize])
}

const sealSize = 24

func (c *call) seal(params []string, position string) string {
	parts := append([]string{"page", c.account, c.region, c.service, c.operation, position}, params...)
	sum := sha256.Sum256([]byte(strings.Join(parts, "\x00")))
	return string(sum[:sealSize])
}

// decodeJSON reads a JSON operation's input. Unknown members are ignored, as
// AWS does; wrong types are refused.
func decodeJSON[T any](c *call) (T, *apiError) {
	var in T
	if len(c.body) == 0 && services[c.service].protocol == restJSON {
		return in, nil
	}
	if !isJSONObject(string(c.body)) || json.Unmarshal(c.body, &in) != nil {
		return in, &apiError{http.StatusBadRequest, "SerializationException", "The request is not a JSON object with members of the right types."}
	}
	return in, nil
}

func isJSONObject(s string) bool {
	var object map[string]json.RawMessage
	return json.Unmarshal([]byte(s), &object) == nil && object != nil
}

// violation is AWS's text for one input member outside its model's constraint.
func violation(value, member, constraint string) *apiError {
	return invalid("1 validation error detected: Value " + value + " at '" + member + "' failed to satisfy constraint: " + constraint)
}

func invalid(text string) *apiError {
	return &apiError{http.StatusBadRequest, "ValidationException", text}
}

// checkLimit gives the page size for an optional limit between 1 and most.
func checkLimit(limit *int, member string, most int) (int, *apiError) {
	switch {
	case limit == nil:
		return most, nil
	case *limit < 1:
		return 0, violation("'"+strconv.Itoa(*limit)+"'", member, "Member must have value greater than or equal to 1")
	case *limit > most:
		return 0, violation("'"+strconv.Itoa(*limit)+"'", member, "Member must have value less than or equal to "+strconv.Itoa(most))
	}
	return *limit, nil
}
