package main

import (
	"context"
	"testing"

	"github.com/stretchr/testify/require"

	"ironfeet/app/casework/office"
	"ironfeet/app/practice"
	"ironfeet/store/audit"
	"ironfeet/store/world"
)

func TestAMachineTakesItsNextKey(t *testing.T) { // invariant 3
	ctx := context.Background()
	c, err := practice.SetUp(ctx, world.Real(), t.TempDir(), 8, "tablet-a")
	require.NoError(t, err)
	defer c.Close()
	node := c.Nodes["tablet-a"]
	dir, id, before, person := node.Office.Dir, node.Office.Replica.Identity().Node, node.Office.NodeKey, node.People[0]
	require.NoError(t, node.Office.Close())

	typed(t, "000000")
	status, out, _ := command("node", "renew", "--data", dir, "--person", person.Name)
	require.Equal(t, 1, status, "a wrong PIN opens nothing")
	require.Empty(t, out)

	typed(t, practice.PIN)
	status, out, errs := command("node", "renew", "--data", dir, "--person", person.Name)
	require.Equal(t, 0, status, errs)
	require.Contains(t, out, id.String())

	node.Office, err = office.Unlock(ctx, world.Real(), dir, person.ID, practice.PIN)
	require.NoError(t, err)
	require.NotEqual(t, before, node.Office.NodeKey)
	_, err = node.Office.Client().Sync(ctx, nil)
	require.NoError(t, err, "the county believes the next key")
	roll, err := c.Office.Roll(ctx)
	require.NoError(t, err)
	keys := 0
	for _, n := range roll.Nodes() {
		if n.Subject == id {
			keys++
			require.Equal(t, node.Office.NodeKey.Public(), any(n.Key), "the newest is the one in force")
		}
	}
	require.Equal(t, 1, keys)
	book, err := openAudit(ctx, node.Office)
	require.NoError(t, err)
	defer book.Close()
	log, err := book.Entries(ctx, audit.Query{Limit: 10})
	require.NoError(t, err)
	require.NotEmpty(t, log)
	require.Equal(t, audit.Administration, log[0].Action)
	require.Equal(t, id.String(), log[0].Object)
}

func TestTheCountysOwnFolderHasNobodyToAsk(t *testing.T) {
	dir := t.TempDir() + "/county"
	status, _, errs := command("init", "--data", dir, "--name", "云栖县（虚构）", "--division", "459921")
	require.Equal(t, 0, status, errs)
	status, out, errs := command("node", "renew", "--data", dir, "--lang", "zh")
	require.Equal(t, 1, status)
	require.Empty(t, out)
	require.Contains(t, errs, "县服务器自己的数据文件夹")
}
