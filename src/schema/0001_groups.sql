-- What should run, and each try at running it (room `supervise`). Instants are CLOCK_BOOTTIME nanoseconds beside the
-- boot id they belong to; wall-clock instants are UTC nanoseconds since 1970.

create table groups (
  id text primary key,          -- app/service@v3
  app_id text not null,
  node_id text not null default 'local',
  body text not null,           -- the wanted group as JSON
  wanted integer not null,      -- 0: being stopped; the row goes when the last instance has gone
  closely integer not null,     -- 1: a release looks, so it is probed often
  made_at integer not null
) without rowid;

create table instances (
  id text primary key,          -- random; its directory and its shim bear it
  app_id text not null,
  node_id text not null default 'local',
  group_id text not null references groups (id) on delete cascade,
  slot integer not null,
  port integer not null,        -- 0: none
  restarts integer not null,    -- tries at this slot before this one
  streak integer not null,      -- of them, in a row just before this one, those that ended soon after their start
  state text not null,          -- starting, ready, unready; ended: waiting, completed, failed
  since integer not null,       -- boottime: when this state began
  restart_at integer,           -- boottime: of waiting, when the next try is due
  exit_code integer,            -- of the newest try at this slot that ended
  exit_signal integer,
  reason text not null default '',
  boot_id text not null,
  made_at integer not null      -- boottime
) without rowid;

create unique index instances_of_group on instances (group_id, slot);
