package main

import (
	"context"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"regexp"
	"strings"

	"ironfeet/app/casework/office"
	"ironfeet/app/console"
	"ironfeet/app/console/accounts"
	"ironfeet/store/audit"
	"ironfeet/sync/trust"
)

// demoPassword opens the demonstration's accounts.
const demoPassword = "yunqi-demo-2026"

// accounts are those of the demonstration, one a role.
var demoAccounts = []accounts.Account{
	{Login: "clerk", Name: "经办（虚构）", Role: trust.County},
	{Login: "approver", Name: "审批（虚构）", Role: trust.Approver},
	{Login: "guardian", Name: "未保（虚构）", Role: trust.ChildApprover},
	{Login: "auditor", Name: "审计（虚构）", Role: trust.Auditor},
	{Login: "admin", Name: "管理员（虚构）", Role: accounts.Administrator},
}

// openAccounts makes the console's accounts while the county's folder is open.
func (s *story) openAccounts(ctx context.Context, of *office.Office) error {
	book := accounts.Of(of)
	for _, a := range demoAccounts {
		if _, err := book.Add(ctx, a, demoPassword); err != nil {
			return err
		}
	}
	return nil
}

// browse signs in at the running server's console, as a browser without scripts
// would: what is masked stays masked until a reason is given, and a page of another
// site moves nothing.
func (s *story) browse(ctx context.Context) error {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return err
	}
	client := &http.Client{Jar: jar}
	at := s.server.Address + console.Base
	ask := func(method, path string, form url.Values, from string) (int, string, error) {
		req, err := http.NewRequestWithContext(ctx, method, at+path, strings.NewReader(form.Encode()))
		if err != nil {
			return 0, "", err
		}
		req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		req.Header.Set("Accept-Language", "zh")
		req.Header.Set("Sec-Fetch-Site", from)
		resp, err := client.Do(req)
		if err != nil {
			return 0, "", err
		}
		defer resp.Body.Close()
		body, err := io.ReadAll(resp.Body)
		return resp.StatusCode, string(body), err
	}
	status, _, err := ask(http.MethodPost, "login", url.Values{"login": {"clerk"}, "password": {"wrong password"}}, "same-origin")
	if err == nil {
		err = check(status == http.StatusUnauthorized, "a wrong password: status %d", status)
	}
	if err != nil {
		return err
	}
	status, body, err := ask(http.MethodPost, "login", url.Values{"login": {"clerk"}, "password": {demoPassword}}, "same-origin")
	if err == nil {
		err = check(status == http.StatusOK && strings.Contains(body, "总览"), "signing in: status %d", status)
	}
	if err != nil {
		return err
	}
	household := "households/" + s.returned.String()
	_, masked, err := ask(http.MethodGet, household, nil, "none")
	if err != nil {
		return err
	}
	foreign, _, err := ask(http.MethodPost, household+"/reveal", url.Values{"reason": {"来自别的网站"}}, "cross-site")
	if err != nil {
		return err
	}
	_, open, err := ask(http.MethodPost, household+"/reveal", url.Values{"reason": {"核对退回的走访"}}, "same-origin")
	if err != nil {
		return err
	}
	number := regexp.MustCompile(`459921[0-9]{11}[0-9X]`)
	s.tell("the clerk signs in at %s: the household is masked; %d numbers show after a reason is given; a form on another site: status %d", at, len(number.FindAllString(open, -1)), foreign)
	if err := check(!number.MatchString(masked) && number.MatchString(open) && foreign == http.StatusForbidden, "the console's masks do not hold"); err != nil {
		return err
	}
	status, _, err = ask(http.MethodGet, "audit", nil, "none")
	if err != nil {
		return err
	}
	return check(status == http.StatusForbidden, "the clerk sees the audit log: status %d", status)
}

// browsed looks for what the console wrote into the audit log.
func (s *story) browsed(ctx context.Context, of *office.Office) error {
	log, err := openAudit(ctx, of)
	if err != nil {
		return err
	}
	defer log.Close()
	for _, action := range []string{audit.SignInRefused, audit.SignIn, audit.Reveal, audit.Export, audit.ExportApproved} {
		list, err := log.Entries(ctx, audit.Query{Action: action, Limit: 1})
		if err != nil {
			return err
		}
		if err := check(len(list) == 1, "the audit log holds no %s", action); err != nil {
			return err
		}
	}
	return nil
}
