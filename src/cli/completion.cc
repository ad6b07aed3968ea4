#include "cli/completion.h"

#include <algorithm>
#include <cctype>
#include <cstdio>

#include "base/error.h"
#include "cli/options.h"

namespace holdall::cli {
namespace {

using Flag = Description::Flag;

constexpr std::string_view kBash = R"script(# bash completion of holdall; `holdall completion bash` prints it.
_holdall() {
  local IFS=$' \t\n' line full prefix
  local -a typed
  read -ra typed <<< "${COMP_LINE:0:COMP_POINT}"
  [[ ${COMP_LINE:0:COMP_POINT} == *[[:space:]] ]] && typed+=("")
  full=${typed[${#typed[@]}-1]}
  # bash takes ':' and '=' for the ends of words; what stands before them is there already.
  prefix=${full%"${full##*[=:]}"}
  COMPREPLY=()
  while IFS= read -r line; do
    case $line in
      :files) compopt -o default; return ;;
      :directories) compopt -o dirnames; return ;;
    esac
    line=${line%%$'\t'*}
    COMPREPLY+=("${line#"$prefix"}")
  done < <("${typed[0]}" __complete "${typed[@]:1}" 2>/dev/null)
}
complete -F _holdall holdall
)script";

constexpr std::string_view kZsh = R"script(#compdef holdall
# zsh completion of holdall; `holdall completion zsh` prints it.
_holdall() {
  local line
  local -a found
  for line in "${(@f)$("${words[1]}" __complete "${(@)words[2,CURRENT-1]}" "$PREFIX" 2>/dev/null)}"; do
    case $line in
      :files) _files; return ;;
      :directories) _files -/; return ;;
      ?*) found+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}") ;;
    esac
  done
  _describe holdall found
}
if [[ ${funcstack[1]} == _holdall ]]; then
  _holdall "$@"
else
  compdef _holdall holdall
fi
)script";

constexpr std::string_view kFish = R"script(# fish completion of holdall; `holdall completion fish` prints it.
function __holdall_complete
    set -l typed (commandline -opc)
    set -l current "$(commandline -ct)"
    for line in ($typed[1] __complete $typed[2..] $current 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path $current
            case ':directories'
                __fish_complete_directories $current
            case '*'
                echo $line
        end
    end
end
complete -c holdall -f -a '(__holdall_complete)'
)script";

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> parts;
  while (!text.empty()) {
    std::string_view part = text.substr(0, text.find(at));
    text.remove_prefix(std::min(text.size(), part.size() + 1));
    parts.emplace_back(part);
  }
  return parts;
}

bool is_word(std::string_view name) {
  return std::ranges::none_of(name, [](unsigned char c) { return std::isupper(c); });
}

/// What the flags before the cursor say of the project and its server.
void note(Globals& globals, std::string_view flag, const std::string& value) {
  if (flag == "-f" || flag == "--file") globals.files.push_back(value);
  if (flag == "-p" || flag == "--project-name") globals.project_name = value;
  if (flag == "--profile") globals.profiles.push_back(value);
  if (flag == "--env-file") globals.env_files.push_back(value);
  if (flag == "--project-directory") globals.project_dir = value;
  if (flag == "-H" || flag == "--host") globals.host = value;
}

/// Walks over what is typed, as the command's own function would read it.
class Line {
 public:
  Line(std::span<const Command> table, const std::vector<std::string>& words, Names& names)
      : table_(table), words_(words), current_(words.empty() ? "" : words.back()), names_(names) {}

  std::vector<Candidate> complete() {
    Description all;
    all.globals = global_flags();
    if (!skip_flags(all)) return std::move(found_);
    if (at_end()) return commands(all);
    auto command = std::ranges::find_if(
        table_, [&](const Command& row) { return row.name == words_[at_] && !row.group.empty(); });
    if (words_[at_] == "help") return ++at_, at_end() ? commands({}) : std::vector<Candidate>();
    if (command == table_.end()) return {};
    ++at_;
    Description description = describe(*command, table_);
    while (!description.words.empty()) {
      if (!skip_flags(description)) return std::move(found_);
      if (at_end()) return words_of(description);
      const std::string& typed = words_[at_];
      auto word = std::ranges::find_if(description.words,
                                       [&](const Description& one) { return last_word(one.name) == typed; });
      if (word == description.words.end()) break;
      ++at_;
      description = Description(*word);
    }
    return arguments(description);
  }

 private:
  bool at_end() const { return at_ + 1 >= words_.size(); }

  /// Goes to the next word that is no flag. False when the cursor is at a flag or at its value; `found_` then
  /// holds what could stand there.
  bool skip_flags(const Description& of) {
    while (!at_end() && words_[at_].starts_with("-")) {
      const std::string& typed = words_[at_++];
      std::size_t equals = typed.find('=');
      const Flag* flag = find(of, typed.substr(0, equals));
      if (!flag || flag->kind.empty()) continue;
      if (equals != typed.npos) {
        note(globals_, typed.substr(0, equals), typed.substr(equals + 1));
      } else if (at_end()) {
        return offer_kind(flag->kind, current_, ""), false;
      } else {
        note(globals_, typed, words_[at_++]);
      }
    }
    if (!at_end() || !current_.starts_with("-")) return true;
    std::size_t equals = current_.find('=');
    const Flag* flag = equals == current_.npos ? nullptr : find(of, current_.substr(0, equals));
    if (flag) {
      offer_kind(flag->kind, current_.substr(equals + 1), current_.substr(0, equals + 1));
    } else {
      offer_flags(of);
    }
    return false;
  }

  static const Flag* find(const Description& of, std::string_view name) {
    for (const std::vector<Flag>* flags : {&of.flags, &of.globals}) {
      for (const Flag& flag : *flags) {
        const std::vector<std::string> spelled = split(flag.names, ',');
        if (std::ranges::find(spelled, name) != spelled.end()) return &flag;
      }
    }
    return nullptr;
  }

  void offer(const std::string& word, const std::string& help, std::string_view typed,
             const std::string& before = "") {
    if (word.starts_with(typed)) found_.push_back({before + word, help});
  }

  void offer_flags(const Description& of) {
    for (const std::vector<Flag>* flags : {&of.flags, &of.globals}) {
      for (const Flag& flag : *flags) {
        for (const std::string& name : split(flag.names, ',')) offer(name, flag.help, current_);
      }
    }
    offer("--help", "show what it does", current_);
  }

  /// Values of a kind: words that are listed, files, or names that the project or its server has.
  void offer_kind(const std::string& kind, std::string_view typed, const std::string& before) {
    if (kind == "FILE" || kind == "PATH") {
      found_ = {{":files", ""}};
    } else if (kind == "DIR") {
      found_ = {{":directories", ""}};
    } else if (is_word(kind)) {
      for (const std::string& word : split(kind, '|')) offer(word, "", typed, before);
    } else if (kind == "COMMAND") {
      for (const Command& command : table_) {
        if (!command.group.empty()) offer(std::string(command.name), std::string(command.help), typed);
      }
    } else {
      for (const std::string& name : names_.of(kind, globals_)) offer(name, "", typed, before);
    }
  }

  std::vector<Candidate> commands(const Description& of) {
    for (const Command& command : table_) {
      if (!command.group.empty()) offer(std::string(command.name), std::string(command.help), current_);
    }
    if (current_.starts_with("-")) offer_flags(of);
    return std::move(found_);
  }

  std::vector<Candidate> words_of(const Description& of) {
    for (const Description& word : of.words) offer(std::string(last_word(word.name)), word.about, current_);
    return std::move(found_);
  }

  std::vector<Candidate> arguments(const Description& of) {
    std::size_t argument = 0;
    while (skip_flags(of)) {
      if (argument == of.arguments.size()) return {};
      if (at_end()) {
        const Description::Argument& wanted = of.arguments[argument];
        if (of.runs_program && argument > 0) return {{":files", ""}};
        offer_kind(wanted.name, current_, "");
        return std::move(found_);
      }
      if (of.runs_program && argument > 0) return {{":files", ""}};
      ++at_;
      if (!of.arguments[argument].many) ++argument;
    }
    return std::move(found_);
  }

  std::span<const Command> table_;
  const std::vector<std::string>& words_;
  const std::string current_;
  Names& names_;
  std::size_t at_ = 0;
  Globals globals_;
  std::vector<Candidate> found_;
};  // namespace

}  // namespace

std::string_view completion_script(std::string_view shell) {
  if (shell == "bash") return kBash;
  if (shell == "zsh") return kZsh;
  if (shell == "fish") return kFish;
  throw Error(Error::invalid, "holdall completion: for which shell? bash, zsh or fish");
}

std::vector<Candidate> candidates(std::span<const Command> table, const std::vector<std::string>& words,
                                  Names& names) {
  return Line(table, words, names).complete();
}

int completion(Invocation& call) {
  std::optional<std::string> shell;
  Options options(call,
                  "  source <(holdall completion bash)\n"
                  "  holdall completion fish > ~/.config/fish/completions/holdall.fish");
  options.argument("bash|zsh|fish", shell, "the shell that is to complete holdall's words");
  if (!options.parse()) return 0;
  std::string_view script = completion_script(shell.value_or(""));
  std::fwrite(script.data(), 1, script.size(), stdout);
  return 0;
}

}  // namespace holdall::cli
