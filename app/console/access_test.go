package console_test

import (
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"golang.org/x/net/html"

	"ironfeet/store"
)

// attr is an attribute of an element.
func attr(n *html.Node, name string) string {
	for _, a := range n.Attr {
		if a.Key == name {
			return a.Val
		}
	}
	return ""
}

func has(n *html.Node, name string) bool {
	return slices.ContainsFunc(n.Attr, func(a html.Attribute) bool { return a.Key == name })
}

// spoken is what a reader of the screen says of an element.
func spoken(n *html.Node) string {
	if n.Type == html.TextNode {
		return n.Data
	}
	if label := attr(n, "aria-label"); label != "" {
		return label
	}
	if n.Data == "img" {
		return attr(n, "alt")
	}
	var b strings.Builder
	for c := n.FirstChild; c != nil; c = c.NextSibling {
		if c.Data != "select" && c.Data != "option" {
			b.WriteString(spoken(c))
		}
	}
	return strings.TrimSpace(b.String())
}

// unusable lists what somebody without a mouse, a screen or a script would stumble over.
func unusable(page string) (faults []string) {
	doc, err := html.Parse(strings.NewReader(page))
	if err != nil {
		return []string{err.Error()}
	}
	ids, labels := map[string]int{}, map[string]string{}
	var all []*html.Node
	for n := range doc.Descendants() {
		if n.Type != html.ElementNode {
			continue
		}
		all = append(all, n)
		if id := attr(n, "id"); id != "" {
			ids[id]++
		}
		if n.Data == "label" && attr(n, "for") != "" {
			labels[attr(n, "for")] = spoken(n)
		}
	}
	fault := func(what string, n *html.Node) {
		var b strings.Builder
		_ = html.Render(&b, n) // a page that was parsed can be written
		text := b.String()
		faults = append(faults, what+": "+text[:min(len(text), 160)])
	}
	inside := func(n *html.Node, of string) *html.Node {
		for p := n.Parent; p != nil; p = p.Parent {
			if p.Type == html.ElementNode && p.Data == of {
				return p
			}
		}
		return nil
	}
	for id, n := range ids {
		if n > 1 {
			faults = append(faults, "id twice: "+id)
		}
	}
	heads, first := 0, true
	for _, n := range all {
		for _, a := range n.Attr {
			if strings.HasPrefix(a.Key, "on") || a.Key == "tabindex" && a.Val != "0" && a.Val != "-1" {
				fault(a.Key, n)
			}
		}
		switch n.Data {
		case "html":
			if l := attr(n, "lang"); l != "zh-CN" && l != "en" {
				fault("no language", n)
			}
		case "title":
			if spoken(n) == "" {
				fault("no title", n)
			}
		case "h1":
			if heads++; spoken(n) == "" {
				fault("empty heading", n)
			}
		case "script", "iframe":
			fault("not without scripts", n)
		case "a":
			if spoken(n) == "" {
				fault("a link without words", n)
			}
			if to := attr(n, "href"); first && (!strings.HasPrefix(to, "#") || ids[to[1:]] != 1) {
				fault("the first link does not skip to the contents", n)
			}
			first = false
		case "button":
			if spoken(n) == "" {
				fault("a button without words", n)
			}
			if inside(n, "form") == nil {
				fault("a button of no form", n)
			}
		case "input", "select", "textarea":
			if attr(n, "type") == "hidden" {
				continue
			}
			wrapping := inside(n, "label")
			if attr(n, "aria-label") == "" && labels[attr(n, "id")] == "" && (wrapping == nil || spoken(wrapping) == "") {
				fault("a field without a label", n)
			}
			if inside(n, "form") == nil {
				fault("a field of no form", n)
			}
		case "img":
			if !has(n, "alt") {
				fault("a picture without words", n)
			}
		case "svg":
			if attr(n, "role") != "img" || attr(n, "aria-label") == "" {
				fault("a drawing without words", n)
			}
		case "table":
			found := false
			for c := range n.Descendants() {
				found = found || c.Data == "th"
			}
			if !found {
				fault("a table without headings", n)
			}
		case "form":
			if m := strings.ToLower(attr(n, "method")); m != "get" && m != "post" {
				fault("a form without method", n)
			}
			sends := false
			for c := range n.Descendants() {
				sends = sends || c.Data == "button"
			}
			if !sends {
				fault("a form without a button", n)
			}
		case "nav":
			if attr(n, "aria-label") == "" {
				fault("a navigation without name", n)
			}
		}
	}
	if heads != 1 {
		faults = append(faults, "headings of the first rank: "+strings.Repeat("|", heads))
	}
	return faults
}

// TestEveryPageWithoutMouseScreenOrScript walks every page of every role.
func TestEveryPageWithoutMouseScreenOrScript(t *testing.T) {
	h := open(t)
	visited := visitedHousehold(t, h)
	visits, err := h.Office.Replica.Entities(ctx, store.Query{Kind: store.Visit})
	require.NoError(t, err)
	_, _, _ = h.in(t, "clerk").post("needs/collect", nil)
	h.raised(t)
	_, door := h.visitor(t).get("login")
	require.Empty(t, unusable(door))
	for login, paths := range map[string][]string{
		"clerk": {"", "households", "households?q=wd", "tasks?state=all", "visits", "households/" + visited.ID.String(), "households/" + visited.ID.String() + "/print", "visits/" + visits[0].ID.String(), "determinations", "determinations/" + visits[0].ID.String(), "compare", "alerts", "needs", "standards", "exports", "devices", "system", "me", "nothing"},
		"boss":  {"audit", "exports", "determinations"}, "guardian": {"exports", "households/" + visited.ID.String()}, "auditor": {"audit", "system"},
		"admin": {"accounts", "devices", "system"}, "town": {"", "households", "visits"},
	} {
		v := h.in(t, login)
		for _, path := range paths {
			status, body := v.get(path)
			require.Contains(t, []int{http.StatusOK, http.StatusNotFound, http.StatusForbidden}, status, path)
			require.Empty(t, unusable(body), "%s %s", login, path)
		}
	}
	// What comes back to a faulty form is a page as well.
	_, body, _ := h.in(t, "clerk").post("exports", map[string][]string{"format": {"csv"}, "unmasked": {"yes"}})
	require.Empty(t, unusable(body))
	_, body, _ = h.in(t, "clerk").post("alerts", map[string][]string{"do": {"confirm"}})
	require.Empty(t, unusable(body))

	// The place of the keyboard is always to be seen.
	_, style := h.visitor(t).get("static/console.css")
	require.Regexp(t, `:focus-visible \{ outline: 3px solid`, style)
	require.NotRegexp(t, regexp.MustCompile(`outline: *(none|0)`), style)
	require.Regexp(t, `\.skip:focus \{ left`, style)
}

// TestTheWalkFindsFaults: the walk above is worth something only if it sees what is
// wrong.
func TestTheWalkFindsFaults(t *testing.T) {
	good := `<!doctype html><html lang="zh-CN"><title>页</title><body><a href="#main">跳过</a><main id="main"><h1>页</h1>%s</main>`
	page := func(s string) string { return strings.Replace(good, "%s", s, 1) }
	require.Empty(t, unusable(page(`<form method="post"><label>名 <input name="a"></label><button>好</button></form>`)))
	for what, s := range map[string]string{
		"a field without a label":  `<form method="post"><input name="a"><button>好</button></form>`,
		"a button without words":   `<form method="post"><button></button></form>`,
		"a form without a button":  `<form method="post"><label>名 <input></label></form>`,
		"a link without words":     `<a href="/x"></a>`,
		"a picture without words":  `<img src="/x">`,
		"a table without headings": `<table><tr><td>1</td></tr></table>`,
		"id twice":                 `<p id="main"></p>`,
		"headings of the first":    `<h1>又一个</h1>`,
		"onclick":                  `<p onclick="x()"></p>`,
		"not without scripts":      `<script></script>`,
		"tabindex":                 `<p tabindex="3"></p>`,
		"a drawing without words":  `<svg></svg>`,
	} {
		require.Contains(t, strings.Join(unusable(page(s)), "\n"), what)
	}
	require.NotEmpty(t, unusable(strings.Replace(page(""), ` lang="zh-CN"`, "", 1)))
	require.NotEmpty(t, unusable(strings.Replace(page(""), `#main`, "/elsewhere", 1)))
}
