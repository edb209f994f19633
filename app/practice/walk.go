package practice

import (
	"bytes"
	"context"
	"crypto/ed25519"
	"fmt"

	"github.com/google/uuid"

	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/tasks"
	"ironfeet/app/casework/visit"
	"ironfeet/assets/yunqi"
)

// Walked is what one visit came to.
type Walked struct {
	Visit           uuid.UUID
	Answers, Photos int // photos with the drawn signature
	Bytes           int64
}

// Desk is where the node's first person fills visits.
func (n *Node) Desk(shelf *publish.Shelf) *visit.Desk {
	return &visit.Desk{Replica: n.Office.Replica, World: n.Office.World, Shelf: shelf, Worker: n.People[0].ID, Name: n.People[0].Name}
}

// Walk is one visit, from the first question to the signatures of everybody at the
// node. Its pictures are painted from seed.
func (n *Node) Walk(ctx context.Context, shelf *publish.Shelf, task tasks.Task, script yunqi.Script, seed uint64) (Walked, error) {
	v, err := n.Desk(shelf).Start(ctx, task)
	if err != nil {
		return Walked{}, err
	}
	w, err := Fill(ctx, v, script, seed)
	if err != nil {
		return w, err
	}
	return w, n.SignOff(ctx, v, script.Signer, seed, &w)
}

// Fill answers a visit as its script has it. Questions that turn out not to be
// asked are passed over; what is missing in the end is an error.
func Fill(ctx context.Context, v *visit.Visit, script yunqi.Script, seed uint64) (Walked, error) {
	w := Walked{Visit: v.ID}
	for _, a := range script.Answers {
		if n, ok := v.Entry.Node(a.Path); ok && !n.Relevant {
			continue
		}
		if _, err := v.Set(ctx, a.Path, a.Value); err != nil {
			return w, err
		}
		w.Answers++
	}
	for i, path := range script.Photos {
		if n, ok := v.Entry.Node(path); !ok || !n.Relevant {
			continue
		}
		p, err := v.AddPhoto(ctx, path, bytes.NewReader(yunqi.Photo(seed+uint64(i), 1280, 960)))
		if err != nil {
			return w, err
		}
		w.Photos++
		w.Bytes += p.Size
	}
	for _, p := range v.Entry.Problems() {
		return w, fmt.Errorf("the script leaves %s open: %s %s", p.Path, p.Code, p.Message)
	}
	return w, nil
}

// SignOff lets the householder sign (signer "": nobody was met) and everybody at
// the node attest with the own PIN, and locks the visit.
func (n *Node) SignOff(ctx context.Context, v *visit.Visit, signer string, seed uint64, w *Walked) error {
	if signer != "" {
		drawing := yunqi.Signature(seed)
		if err := v.Sign(ctx, visit.Signature{Mode: visit.Drawn, Signer: signer}, bytes.NewReader(drawing)); err != nil {
			return err
		}
		w.Photos++
		w.Bytes += int64(len(drawing))
	}
	for _, p := range n.People {
		key, err := n.key(p.ID)
		if err != nil {
			return err
		}
		if err := v.Attest(ctx, p.ID, key); err != nil {
			return err
		}
	}
	return v.Finish(ctx)
}

// key is a person's signing key. The PIN is entered once for all the practice's
// visits: each time costs what makes guessing it dear (a fifth of a second).
func (n *Node) key(person uuid.UUID) (ed25519.PrivateKey, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if key := n.keys[person]; key != nil {
		return key, nil
	}
	key, err := n.Office.Vault.PersonKey(person, PIN)
	if err != nil {
		return nil, err
	}
	if n.keys == nil {
		n.keys = map[uuid.UUID]ed25519.PrivateKey{}
	}
	n.keys[person] = key
	return key, nil
}
