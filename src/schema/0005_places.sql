-- Beside the instance that a slot runs there may be one that is to take its place, and one whose place was taken and
-- which finishes what it has (room `supervise`).

alter table instances add column place integer not null default 0; -- 0: it runs the slot; 1: its replacement; 2: leaving

drop index instances_of_group;
create unique index instances_of_group on instances (group_id, slot, place);
