package console

import (
	"net/http"
	"slices"

	"github.com/google/uuid"

	"ironfeet/app/console/accounts"
	"ironfeet/sync/trust"
)

// A right is something that not everybody may.
type right string

// The rights.
const (
	seeFigures   right = "figures"    // counts, no person
	seeCases     right = "cases"      // households of the own scope, masked
	reveal       right = "reveal"     // in full, with a reason, logged
	seeChildren  right = "children"   // what concerns children (S3)
	runCompare   right = "compare"    // department lists, and what they raise
	referNeeds   right = "needs"      // needs out to departments, answers in
	decide       right = "decide"     // determinations
	setStandards right = "standards"  // publish rules
	askExport    right = "export"     // ask for an export
	letExport    right = "let_export" // agree to one
	seeAudit     right = "audit"      // entries, counts, digests
	seeDetail    right = "detail"     // the words of an entry
	runMachines  right = "machines"   // invite, revoke
	runAccounts  right = "accounts"   // who signs in
	seeSystem    right = "system"     // storage, queues
)

// rights are who may what (domain.md §1). Nobody may what does not stand here.
//
//	                county  approver  child_approver  auditor  administrator  township
//	figures           ✓        ✓            ✓            ✓          ✓            ✓
//	cases             ✓        ✓            ✓            –          –            ✓ own scope
//	reveal            ✓        ✓            ✓            –          –            ✓ own scope
//	children          –        –            ✓            –          –            –
//	compare           ✓        –            –            –          –            –
//	needs             ✓        –            –            –          –            –
//	decide            ✓        ✓            ✓            –          –            –
//	standards         ✓        –            –            –          –            –
//	export            ✓        ✓            ✓            –          –            –
//	let_export        –        ✓            ✓            –          –            –
//	audit             –        ✓            ✓            ✓          –            –
//	detail            –        ✓            ✓            –          –            –
//	machines          ✓        –            –            –          ✓            –
//	accounts          –        –            –            –          ✓            –
//	system            ✓        ✓            –            ✓          ✓            –
var rights = map[right][]trust.Role{
	seeFigures:   {trust.County, trust.Approver, trust.ChildApprover, trust.Auditor, accounts.Administrator, trust.Township},
	seeCases:     {trust.County, trust.Approver, trust.ChildApprover, trust.Township},
	reveal:       {trust.County, trust.Approver, trust.ChildApprover, trust.Township},
	seeChildren:  {trust.ChildApprover},
	runCompare:   {trust.County},
	referNeeds:   {trust.County},
	decide:       {trust.County, trust.Approver, trust.ChildApprover},
	setStandards: {trust.County},
	askExport:    {trust.County, trust.Approver, trust.ChildApprover},
	letExport:    {trust.Approver, trust.ChildApprover},
	seeAudit:     {trust.Approver, trust.ChildApprover, trust.Auditor},
	seeDetail:    {trust.Approver, trust.ChildApprover},
	runMachines:  {trust.County, accounts.Administrator},
	runAccounts:  {accounts.Administrator},
	seeSystem:    {trust.County, trust.Approver, trust.Auditor, accounts.Administrator},
}

func may(role trust.Role, what right) bool { return slices.Contains(rights[what], role) }

// navigation is what stands at the side, as far as one may.
var navigation = []struct {
	key, path string
	right     right
}{
	{"console.overview", Base, seeFigures},
	{"console.households", Base + "households", seeCases},
	{"console.tasks", Base + "tasks", seeCases},
	{"console.visits", Base + "visits", seeCases},
	{"console.determinations", Base + "determinations", decide},
	{"console.compare", Base + "compare", runCompare},
	{"console.alerts", Base + "alerts", runCompare},
	{"console.needs", Base + "needs", referNeeds},
	{"console.standards", Base + "standards", setStandards},
	{"console.exports", Base + "exports", askExport},
	{"console.audit", Base + "audit", seeAudit},
	{"console.devices", Base + "devices", runMachines},
	{"console.accounts", Base + "accounts", runAccounts},
	{"console.system", Base + "system", seeSystem},
}

func (c *Console) routes() {
	c.mux.HandleFunc("GET "+Base+"static/{file}", c.static)
	c.mux.HandleFunc("GET "+Base+"login", c.loginPage)
	c.mux.HandleFunc("POST "+Base+"login", c.login)
	c.mux.HandleFunc("GET "+Base+"second", c.secondPage)
	c.mux.HandleFunc("POST "+Base+"second", c.second)
	c.mux.HandleFunc("POST "+Base+"logout", c.logout)
	c.mux.HandleFunc("POST "+Base+"language", c.setLanguage)
	for _, r := range []struct {
		pattern string
		right   right
		handle  handler
	}{
		{"GET {$}", seeFigures, c.overview},
		{"GET me", seeFigures, c.me},
		{"POST me", seeFigures, c.setSecond},
		{"GET households", seeCases, c.households},
		{"GET households/{id}", seeCases, c.household},
		{"POST households/{id}/reveal", reveal, c.reveal},
		{"GET households/{id}/print", reveal, c.printHousehold},
		{"GET households/{id}/photos/{digest}", reveal, c.photo},
		{"GET tasks", seeCases, c.tasks},
		{"GET visits", seeCases, c.visits},
		{"GET visits/{id}", seeCases, c.visit},
		{"GET determinations", decide, c.determinations},
		{"GET determinations/{id}", decide, c.determination},
		{"POST determinations/{id}", decide, c.decide},
		{"GET compare", runCompare, c.comparePage},
		{"POST compare", runCompare, c.comparePreview},
		{"POST compare/{id}", runCompare, c.compareRun},
		{"GET alerts", runCompare, c.alerts},
		{"POST alerts", runCompare, c.decideAlerts},
		{"GET needs", referNeeds, c.needs},
		{"POST needs", referNeeds, c.moveNeeds},
		{"POST needs/collect", referNeeds, c.collectNeeds},
		{"POST needs/feedback", referNeeds, c.needsBack},
		{"GET needs/file", referNeeds, c.needsFile},
		{"GET standards", setStandards, c.standards},
		{"POST standards", setStandards, c.standardsPreview},
		{"POST standards/{id}", setStandards, c.standardsPublish},
		{"GET exports", askExport, c.exports},
		{"POST exports", askExport, c.askExport},
		{"POST exports/templates", askExport, c.keepTemplate},
		{"POST exports/{id}/answer", letExport, c.answerExport},
		{"POST exports/{id}/again", askExport, c.againExport},
		{"GET exports/{id}/file", askExport, c.fetchExport},
		{"GET audit", seeAudit, c.audit},
		{"POST audit/{n}", seeDetail, c.auditDetail},
		{"GET devices", runMachines, c.devices},
		{"POST devices", runMachines, c.invite},
		{"POST devices/{id}/revoke", runMachines, c.revoke},
		{"GET accounts", runAccounts, c.accounts},
		{"POST accounts/{login}", runAccounts, c.setAccount},
		{"GET system", seeSystem, c.system},
	} {
		method, path, _ := cut(r.pattern)
		c.mux.HandleFunc(method+" "+Base+path, c.allowed(r.right, r.handle))
	}
	c.mux.HandleFunc(Base, func(w http.ResponseWriter, r *http.Request) { c.refuse(w, r, http.StatusNotFound, "console.not_found") })
}

func cut(pattern string) (method, path string, ok bool) {
	for i := range pattern {
		if pattern[i] == ' ' {
			return pattern[:i], pattern[i+1:], true
		}
	}
	return pattern, "", false
}

type handler func(http.ResponseWriter, *http.Request, *accounts.Account)

// allowed lets a request through if somebody is signed in who may. A signed-out
// browser is led to the door; one who may not is told so, and learns nothing else.
func (c *Console) allowed(what right, handle handler) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		a := c.signedIn(r)
		if a == nil {
			if r.Method != http.MethodGet {
				c.refuse(w, r, http.StatusUnauthorized, "console.signed_out")
				return
			}
			http.Redirect(w, r, Base+"login", http.StatusSeeOther)
			return
		}
		if !may(a.Role, what) {
			c.refuse(w, r, http.StatusForbidden, "console.may_not")
			return
		}
		if r.Method == http.MethodPost {
			r.Body = http.MaxBytesReader(w, r.Body, maxUpload)
		}
		handle(w, r, a)
	}
}

// signedIn is whose session this is, nil for nobody's. The account is read anew
// each time: a disabled one is out at once.
func (c *Console) signedIn(r *http.Request) *accounts.Account {
	id, err := uuid.Parse(c.sessions.GetString(r.Context(), "person"))
	if err != nil {
		return nil
	}
	a, err := c.book.Get(r.Context(), id)
	if err != nil || a.Disabled || c.sessions.GetBool(r.Context(), "half") {
		return nil
	}
	return &a
}
