-- The user that each service runs as (room `release`). No row ever goes, not even with its app: what a user left behind
-- stays its own, and a service that comes back finds it.

create table service_uids (
  uid integer primary key,      -- also its group
  app_id text not null,
  node_id text not null default 'local',
  service text not null,
  unique (app_id, service)
);
