#pragma once

#include "engine/engine.h"
#include "router/router.h"
#include "serve/serve.h"

namespace holdall {

/// What the router's and the engine's doors ask of a parent process, asked of serve. `link` outlives both.
class RouterParent final : public router::Parent {
 public:
  explicit RouterParent(serve::ParentLink& link) : link_(link) {}

  void bind(const router::Listener& listener) override { link_.bind(listener.name, listener.address); }
  void keep_only(const std::vector<std::string>& names) override { link_.keep_only(names); }
  void keep_table(const Fd& sealed_memfd) override { link_.keep_table(sealed_memfd); }
  router::RouterNews router_news() override {
    auto news = link_.router_news();
    return {.links = std::move(news.links), .counted = std::move(news.counted)};
  }
  int news_descriptor() const override { return link_.news_descriptor(); }

 private:
  serve::ParentLink& link_;
};

class OutputKeeper final : public engine::PipeKeeper {
 public:
  explicit OutputKeeper(serve::ParentLink& link) : link_(link) {}

  void keep(const InstanceId& id, const Fd& out, const Fd& err) override {
    link_.keep_output(id.value, out, err);
  }
  std::optional<std::pair<Fd, Fd>> take(const InstanceId& id) override { return link_.take_output(id.value); }
  void drop(const InstanceId& id) override { link_.drop_output(id.value); }

 private:
  serve::ParentLink& link_;
};

}  // namespace holdall
