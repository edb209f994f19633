package practice

import (
	"context"
	"time"

	"ironfeet/app/casework/determination"
	"ironfeet/app/casework/publish"
	"ironfeet/app/casework/review"
	"ironfeet/app/casework/tasks"
	"ironfeet/store/world"
	"ironfeet/sync/trust"
)

// Visited is a practice county in which tablet A made some visits, the township
// accepted them, and the clerk decided the first ones of them as the rules suggest.
func Visited(ctx context.Context, w world.World, dir string, households, visits, decide int) (*County, error) {
	c, err := SetUp(ctx, w, dir, households, "township", "tablet-a")
	if err != nil {
		return nil, err
	}
	tablet, town := c.Nodes["tablet-a"], c.Nodes["township"]
	shelf := &publish.Shelf{}
	list, err := tasks.List(ctx, tablet.Office.Replica, "", tasks.Open)
	if err != nil {
		return c, err
	}
	for i, task := range list[:min(visits, len(list))] {
		for _, h := range c.Sample.Households {
			if h.ID == task.Household {
				if _, err := tablet.Walk(ctx, shelf, task, h.Visit(w.Now(), false), uint64(i*10)); err != nil {
					return c, err
				}
			}
		}
	}
	for _, n := range []*Node{tablet, town} {
		if _, err := n.Office.Client().Sync(ctx, nil); err != nil {
			return c, err
		}
	}
	reviewer := &review.Reviewer{Replica: town.Office.Replica, Shelf: shelf, Person: town.People[0].ID, Role: trust.Township, Now: time.Now, NewID: w.NewID}
	inbox, err := review.Inbox(ctx, town.Office.Replica, c.Sample.Code)
	if err != nil {
		return c, err
	}
	for _, waiting := range inbox {
		open, err := reviewer.Open(ctx, waiting.Visit)
		if err != nil {
			return c, err
		}
		if err := reviewer.Accept(ctx, open, nil, ""); err != nil {
			return c, err
		}
	}
	if _, err := town.Office.Client().Sync(ctx, nil); err != nil {
		return c, err
	}
	pending, err := determination.Pending(ctx, c.Office.Replica, c.Sample.Code)
	if err != nil {
		return c, err
	}
	for _, v := range pending[:min(decide, len(pending))] {
		rules, err := determination.Rules(ctx, c.Office.Replica, v)
		if err != nil {
			return c, err
		}
		if _, err := determination.Decide(ctx, c.Office.Replica, c.Clerk, w.Now(), v, determination.Suggest(rules, v), determination.Choice{}); err != nil {
			return c, err
		}
	}
	return c, nil
}
