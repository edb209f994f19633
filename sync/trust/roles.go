// Package trust decides whose word counts: the county root certifies nodes and
// persons, a certificate gives a role and a scope, and a table says which role may
// write which kind of change.
//
//	root ──signs──▶ certificate of a node   (key, role, scope, validity)
//	     ──signs──▶ certificate of a person (key, role, scope, validity)
//	node ──signs──▶ bundle of changes; person ──signs──▶ attestation of a visit
//
// Certificates and revocations are themselves changes of the county, so who is
// believed is a pure function of the changes a replica holds and of the root's
// public key (invariants 2 and 3). A revocation of a node names the last sequence
// number that counts; no clock of a lost tablet is asked.
//
// The layouts are specified in sync/FORMAT.md, sections 4 to 7. This package knows
// neither bundles nor networks.
package trust

import (
	"slices"

	"ironfeet/store"
)

// A Role is what a node or a person is in the work.
type Role string

// The roles. Nodes have one of the first three; persons may have any.
const (
	Worker        Role = "worker"         // 村级协理员, 驻村干部, 儿童主任: village tablets
	Township      Role = "township"       // 乡镇民政专干: township PCs
	County        Role = "county"         // 县民政局: the county server and its clerks
	Approver      Role = "approver"       // 审核确认人
	ChildApprover Role = "child_approver" // 儿童福利审批人
	Auditor       Role = "auditor"        // 监督检查: reads, writes nothing
)

// Roles in the order in which they are shown.
var Roles = []Role{Worker, Township, County, Approver, ChildApprover, Auditor}

// What each role may write, and who may hold it. A change needs both: the role of
// the node that signs its bundle and the role of its author.
//
//	kind           worker  township  county  approver  child_  auditor  body goes to
//	                                                   approver
//	visit            ✓        ✓        ✓        –        –        –      everyone in scope
//	task             ✓        ✓        ✓        ✓        ✓        –      everyone in scope
//	household        –        ✓        ✓        ✓        –        –      everyone in scope
//	member           –        ✓        ✓        ✓        –        –      everyone in scope
//	review           –        ✓        ✓        ✓        –        –      everyone in scope
//	need             –        ✓        ✓        ✓        ✓        –      everyone in scope
//	determination    –        –        ✓        ✓        ✓        –      townships and county
//	alert            –        –        ✓        –        –        –      townships and county
//	notice           –        ✓        ✓        –        –        –      townships and county
//	list             –        –        ✓        –        –        –      county
//	form             –        –        ✓        –        –        –      everyone
//	standards        –        –        ✓        –        –        –      everyone
//	person           –        –        ✓        –        –        –      everyone
//	node             –        –        ✓        –        –        –      everyone
//
// Forms are the only way in from the field: a worker writes visits and ends tasks;
// what a visit proposes for the registry is written by whoever accepts it. A review
// travels back to the tablet because it carries the reason of a return.
var table = []struct {
	kind     store.Kind
	writers  []Role
	audience uint8
}{
	{store.Visit, []Role{Worker, Township, County}, Everyone},
	{store.Task, []Role{Worker, Township, County, Approver, ChildApprover}, Everyone},
	{store.Household, []Role{Township, County, Approver}, Everyone},
	{store.Member, []Role{Township, County, Approver}, Everyone},
	{store.Review, []Role{Township, County, Approver}, Everyone},
	{store.Need, []Role{Township, County, Approver, ChildApprover}, Everyone},
	{store.Determination, []Role{County, Approver, ChildApprover}, TownshipUp},
	{store.Alert, []Role{County}, TownshipUp},
	{store.Notice, []Role{Township, County}, TownshipUp},
	{store.Opinion, []Role{Township}, TownshipUp},
	{store.List, []Role{County}, CountyOnly},
	{store.Form, []Role{County}, Everyone},
	{store.Standards, []Role{County}, Everyone},
	{store.Calendar, []Role{County}, Everyone},
	{store.Person, []Role{County}, Everyone},
	{store.Node, []Role{County}, Everyone},
}

// Audiences: the least role of a node that may hold the body of a bundle.
const (
	Everyone   uint8 = 0
	TownshipUp uint8 = 1
	CountyOnly uint8 = 2
)

// MayWrite says whether a role may write changes of a kind. A kind this version
// does not know is the county's alone.
func MayWrite(role Role, kind store.Kind) bool {
	for _, row := range table {
		if row.kind == kind {
			return slices.Contains(row.writers, role)
		}
	}
	return role == County
}

// KnownKind says whether this version knows the kind. A kind of a newer version is
// kept and forwarded under the head its writer gave it.
func KnownKind(kind store.Kind) bool {
	for _, row := range table {
		if row.kind == kind {
			return true
		}
	}
	return false
}

// Audience says who may hold changes of a kind; unknown kinds stay in the county.
func Audience(kind store.Kind) uint8 {
	for _, row := range table {
		if row.kind == kind {
			return row.audience
		}
	}
	return CountyOnly
}

// Rank places the role of a node among the audiences: 2 county, 1 township, 0 all
// others.
func Rank(role Role) uint8 {
	switch role {
	case County:
		return CountyOnly
	case Township:
		return TownshipUp
	}
	return Everyone
}

// MayHold says whether a node may hold the body of a bundle of this division and
// audience (invariant 7): its role is high enough, and the division lies in its
// scope or above it. What is published for the county, a form for example, belongs
// to each of its villages.
func MayHold(c Certificate, division string, audience uint8) bool {
	if Rank(c.Role) < audience {
		return false
	}
	return slices.ContainsFunc(c.Scope, func(scope string) bool {
		return store.Within(scope, division) || store.Within(division, scope)
	})
}
