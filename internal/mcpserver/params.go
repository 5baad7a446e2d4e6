package mcpserver

import "encoding/json"

// readOffer reads of the params of a prompt, a completion or a subscription what must be known before the SDK sees
// them. What is not known in an era is refused there.
func (m *message) readOffer(params members, need func(key string, to *string) *rpcError) *rpcError {
	switch m.method {
	case "prompts/get":
		if arguments := params.get("arguments"); arguments != nil && arguments[0] != '{' && string(arguments) != "null" {
			return invalidParams(`"arguments" must be an object`)
		}
		m.arguments = params.get("arguments")
		return need("name", &m.name)
	case "resources/subscribe", "resources/unsubscribe":
		if uri := params.get("uri"); uri != nil && json.Unmarshal(uri, &m.uri) != nil {
			return invalidParams(`"uri" must be a string`)
		}
	case "completion/complete":
		return m.readRef(params.get("ref"))
	}
	return nil
}

// maxWatched is how many resources one subscription may name: each is asked of the policy, and recorded where that
// refuses it.
const maxWatched = 100

var notificationKeys = []string{"toolsListChanged", "promptsListChanged", "resourcesListChanged", "resourceSubscriptions"}

// readNotifications reads what a subscription is for.
func readNotifications(raw json.RawMessage) *rpcError {
	if raw == nil || raw[0] != '{' {
		return invalidParams(`subscriptions/listen needs the object "notifications" in its params`)
	}
	notifications, err := reading(raw, "notifications", notificationKeys)
	if err != nil {
		return invalidParams("the notifications of subscriptions/listen are not right: %s", said(err))
	}
	var watched []string
	if list := notifications.get("resourceSubscriptions"); list != nil && json.Unmarshal(list, &watched) != nil {
		return invalidParams(`"resourceSubscriptions" must be a list of URIs`)
	}
	if len(watched) > maxWatched {
		return invalidParams("one subscription may name at most %d resources", maxWatched)
	}
	return nil
}

var refKeys = []string{"type", "name", "uri"}

// readRef reads what a completion is for: an argument of a prompt, or a variable of a URI template.
func (m *message) readRef(raw json.RawMessage) *rpcError {
	if raw == nil || raw[0] != '{' {
		return invalidParams(`completion/complete needs the object "ref" in its params`)
	}
	ref, err := reading(raw, "ref", refKeys)
	if err != nil {
		return invalidParams("the ref of %s is not right: %s", m.method, said(err))
	}
	to, value := &m.prompt, ref.get("name")
	switch string(ref.get("type")) {
	case `"ref/prompt"`:
	case `"ref/resource"`:
		to, value = &m.uri, ref.get("uri")
	default:
		return invalidParams(`the "type" of "ref" must be "ref/prompt" or "ref/resource"`)
	}
	if value == nil || json.Unmarshal(value, to) != nil || *to == "" {
		return invalidParams(`"ref" must name its prompt by "name" or its resource by "uri"`)
	}
	return nil
}
