package office

import (
	"context"
	"crypto/ed25519"
	"fmt"

	"ironfeet/store"
	"ironfeet/store/vault"
	"ironfeet/store/world"
	"ironfeet/sync/exchange"
	"ironfeet/sync/link"
	"ironfeet/sync/trust"
)

// Look shows what an invitation is for, before anything is made: which county,
// which machine, who will work at it.
func Look(ctx context.Context, w world.World, code string) (exchange.Invited, error) {
	inv, err := trust.ParseCode(code)
	if err != nil {
		return exchange.Invited{}, err
	}
	return link.Ask(ctx, w, inv)
}

// Join makes this machine a node of a county: it asks what the invitation is for,
// makes the machine's keys and a key for every person invited, each under that
// person's PIN, has them certified, and remembers the county. pin is asked for
// each person; the keys never leave this folder.
func Join(ctx context.Context, w world.World, dir, code string, pin func(exchange.Guest) (string, error)) (*Office, error) {
	inv, invited, pins, err := ask(ctx, w, code, pin)
	if err != nil {
		return nil, err
	}
	o := &Office{World: w, Dir: dir}
	id := store.Identity{Node: invited.Node, Name: invited.Name, Division: commonScope(invited.Scope), Role: invited.Role}
	if err := o.create(ctx, id); err != nil {
		return nil, err
	}
	if err := o.enrol(ctx, inv, invited, pins); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// ask shows an invitation to the county, and asks everybody invited for a PIN: all
// of them before anything is made.
func ask(ctx context.Context, w world.World, code string, pin func(exchange.Guest) (string, error)) (trust.Invitation, exchange.Invited, []string, error) {
	inv, err := trust.ParseCode(code)
	if err != nil {
		return inv, exchange.Invited{}, nil, err
	}
	invited, err := link.Ask(ctx, w, inv)
	if err != nil {
		return inv, invited, nil, err
	}
	if len(invited.Scope) == 0 || len(invited.People) == 0 {
		return inv, invited, nil, &trust.InvitationError{Why: trust.Mistyped}
	}
	pins := make([]string, len(invited.People))
	for i, g := range invited.People {
		if pins[i], err = pin(g); err != nil {
			return inv, invited, nil, err
		}
		if err := vault.CheckPIN(pins[i]); err != nil {
			return inv, invited, nil, err
		}
	}
	return inv, invited, pins, nil
}

func (o *Office) enrol(ctx context.Context, inv trust.Invitation, invited exchange.Invited, pins []string) error {
	recipient, err := o.recipient()
	if err != nil {
		return err
	}
	keys := exchange.Enrol{Key: o.NodeKey.Public().(ed25519.PublicKey), Recipient: recipient}
	for i, g := range invited.People {
		pub, err := o.Vault.AddPerson(o.Keys, g.ID, g.Name, pins[i])
		if err != nil {
			return fmt.Errorf("make a key for %s: %w", g.Name, err)
		}
		keys.People = append(keys.People, exchange.PersonKey{ID: g.ID, Key: pub})
	}
	given, err := link.Enrol(ctx, o.World, inv, invited.Root, keys)
	if err != nil {
		return err
	}
	return o.trusting(ctx, invited.Root, given.County, inv.Server)
}

// commonScope is the division that holds all of a node's scope: for one village
// the village, for several of a township the township.
func commonScope(scope []string) string {
	common := scope[0]
	for _, s := range scope[1:] {
		n := 0
		for n < len(common) && n < len(s) && common[n] == s[n] {
			n++
		}
		common = common[:n]
	}
	switch n := len(common); {
	case n >= 12:
		return common[:12]
	case n >= 9:
		return common[:9]
	case n >= 6:
		return common[:6]
	}
	return scope[0]
}
