/*
 * arc completion: scripts for bash, zsh and fish, made of the verbs' data. They hold words only:
 * nothing is run while somebody types.
 */
#include <string.h>

#include "cli/verbs.h"

const arka_subverb arka_completion_subverbs[] = {
    {"bash", "source <(arc completion bash)"},
    {"zsh", "source <(arc completion zsh), or keep it as _arc in $fpath"},
    {"fish", "arc completion fish | source"},
    {NULL, NULL},
};

void arka_completion_help(FILE *out)
{
    fputs("arc completion: print a script that completes verbs, options and their values.\n\n"
          "Usage: arc completion bash|zsh|fish\n\n",
          out);
    for (const arka_subverb *s = arka_completion_subverbs; s->name; s++)
        fprintf(out, "  %-10s %s\n", s->name, s->text);
}

/* ---- what all three need ---- */

bool arka_value_words(const char *value, char *out, size_t n)
{
    if (value == NULL || strchr(value, '|') == NULL || strpbrk(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZ"))
        return false;
    snprintf(out, n, "%s", value);
    for (char *c = out; *c; c++)
        *c = *c == '|' ? ' ' : *c;
    return true;
}

/* Text in single quotes, as all three shells have them; `more` are further signs that get a
 * backslash. */
static void put_quoted(FILE *out, const char *text, const char *more)
{
    for (; *text; text++) {
        if (*text == '\'')
            fputs("'\\''", out);
        else if (strchr(more, *text))
            fprintf(out, "\\%c", *text);
        else
            fputc(*text, out);
    }
}

static void put_option_names(FILE *out, const arka_verb *verb, int sub)
{
    arka_option options[ARKA_VERB_OPTIONS];
    int n = arka_verb_options(verb, sub, options);
    for (int i = 0; i < n; i++)
        fprintf(out, "%s ", options[i].name);
    fputs("--help", out);
}

static void put_subverb_names(FILE *out, const arka_verb *verb)
{
    for (const arka_subverb *s = verb->subverbs; s->name; s++)
        fprintf(out, "%s%s", s == verb->subverbs ? "" : " ", s->name);
}

static void put_verb_names(FILE *out)
{
    for (int i = 0; i < arka_n_verbs; i++)
        fprintf(out, "%s ", arka_verbs[i].name);
}

/* Calls `put` for each verb that is complete: with its subverb, if it has any. */
static void each_place(FILE *out, void (*put)(FILE *out, const arka_verb *verb, int sub))
{
    for (int i = 0; i < arka_n_verbs; i++) {
        const arka_verb *verb = &arka_verbs[i];
        if (verb->subverbs == NULL)
            put(out, verb, -1);
        else
            for (int sub = 0; verb->subverbs[sub].name; sub++)
                put(out, verb, sub);
    }
}

static void put_place(FILE *out, const arka_verb *verb, int sub)
{
    fprintf(out, "%s%s%s", verb->name, sub >= 0 ? " " : "",
            sub >= 0 ? verb->subverbs[sub].name : "");
}

/* ---- bash ---- */

static void bash_values(FILE *out, const arka_verb *verb, int sub)
{
    arka_option options[ARKA_VERB_OPTIONS];
    int n = arka_verb_options(verb, sub, options);
    for (int i = 0; i < n; i++) {
        char words[256];
        if (options[i].value == NULL)
            continue;
        fputs("    '", out);
        put_place(out, verb, sub);
        fprintf(out, " %s') value=1", options[i].name);
        if (arka_value_words(options[i].value, words, sizeof words))
            fprintf(out, " words='%s'", words);
        fputs(" ;;\n", out);
    }
}

static void bash_options(FILE *out, const arka_verb *verb, int sub)
{
    fputs("    '", out);
    put_place(out, verb, sub);
    fputs("') words='", out);
    put_option_names(out, verb, sub);
    fputs("' ;;\n", out);
}

/* Without an answer of ours bash goes on with names of files ("-o default"). */
static void print_bash(FILE *out)
{
    fputs("# bash completion of arc; printed by 'arc completion bash'\n"
          "_arc()\n"
          "{\n"
          "    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
          "    local place=${COMP_WORDS[1]} words= value=\n"
          "    COMPREPLY=()\n"
          "    if [ \"$COMP_CWORD\" = 1 ]; then\n"
          "        COMPREPLY=($(compgen -W '",
          out);
    put_verb_names(out);
    fputs("--help --version' -- \"$cur\"))\n"
          "        return\n"
          "    fi\n"
          "    case $place in\n",
          out);
    for (int i = 0; i < arka_n_verbs; i++) {
        if (arka_verbs[i].subverbs == NULL)
            continue;
        fprintf(out, "    '%s') words='", arka_verbs[i].name);
        put_subverb_names(out, &arka_verbs[i]);
        fputs("' ;;\n", out);
    }
    fputs("    'help') COMPREPLY=($(compgen -W '", out);
    put_verb_names(out);
    fputs("settings --man' -- \"$cur\")); return ;;\n"
          "    esac\n"
          "    if [ -n \"$words\" ]; then\n"
          "        if [ \"$COMP_CWORD\" = 2 ]; then\n"
          "            COMPREPLY=($(compgen -W \"$words --help\" -- \"$cur\"))\n"
          "            return\n"
          "        fi\n"
          "        place=\"$place ${COMP_WORDS[2]}\" words=\n"
          "    fi\n"
          "    case \"$place $prev\" in\n",
          out);
    each_place(out, bash_values);
    fputs("    esac\n"
          "    if [ -z \"$value\" ]; then\n"
          "        case $cur in\n"
          "        -*) ;;\n"
          "        *) return ;;\n"
          "        esac\n"
          "        case $place in\n",
          out);
    each_place(out, bash_options);
    fputs("        esac\n"
          "    fi\n"
          "    COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
          "}\n"
          "complete -o default -F _arc arc\n",
          out);
}

/* ---- zsh ---- */

static void zsh_option(FILE *out, const arka_option *o)
{
    char words[256];
    fprintf(out, " \\\n            '%s%s[", o->name, o->value ? "=" : "");
    put_quoted(out, o->help, "[]\\:");
    fputs("]", out);
    if (arka_value_words(o->value, words, sizeof words))
        fprintf(out, ":word:(%s)", words);
    else if (o->value && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "DIR") == 0))
        fprintf(out, ":%s:_files%s", o->value, *o->value == 'D' ? " -/" : "");
    else if (o->value)
        fprintf(out, ":%s: ", o->value);
    fputs("'", out);
}

static void zsh_place(FILE *out, const arka_verb *verb, int sub)
{
    arka_option options[ARKA_VERB_OPTIONS];
    int n = arka_verb_options(verb, sub, options);
    if (strcmp(verb->name, "help") == 0)
        return;
    fputs("    '", out);
    put_place(out, verb, sub);
    fputs("')\n        _arguments", out);
    for (int i = 0; i < n; i++)
        zsh_option(out, &options[i]);
    fputs(" \\\n            '--help[explain it]' '*:file:_files' ;;\n", out);
}

static void zsh_pair(FILE *out, const char *name, const char *text)
{
    fputs(" '", out);
    put_quoted(out, name, ":");
    fputs(":", out);
    put_quoted(out, text, ":");
    fputs("'", out);
}

static void print_zsh(FILE *out)
{
    fputs("#compdef arc\n"
          "# zsh completion of arc; printed by 'arc completion zsh'\n"
          "_arc()\n"
          "{\n"
          "    local place=$words[2]\n"
          "    local -a verbs=(",
          out);
    for (int i = 0; i < arka_n_verbs; i++)
        zsh_pair(out, arka_verbs[i].name, arka_verbs[i].text);
    fputs(" )\n"
          "    local -a subverbs=()\n"
          "    if (( CURRENT == 2 )); then\n"
          "        _describe 'verb' verbs\n"
          "        return\n"
          "    fi\n"
          "    case $place in\n",
          out);
    for (int i = 0; i < arka_n_verbs; i++) {
        if (arka_verbs[i].subverbs == NULL)
            continue;
        fprintf(out, "    '%s') subverbs=(", arka_verbs[i].name);
        for (const arka_subverb *s = arka_verbs[i].subverbs; s->name; s++)
            zsh_pair(out, s->name, s->text);
        fputs(" ) ;;\n", out);
    }
    fputs("    'help')\n"
          "        verbs+=( 'settings:what a server can be told' '--man:the manual page' )\n"
          "        _describe 'verb' verbs\n"
          "        return ;;\n"
          "    esac\n"
          "    shift words; (( CURRENT-- ))\n"
          "    if (( $#subverbs )); then\n"
          "        if (( CURRENT == 2 )); then\n"
          "            _describe 'verb' subverbs\n"
          "            return\n"
          "        fi\n"
          "        place=\"$place $words[2]\"\n"
          "        shift words; (( CURRENT-- ))\n"
          "    fi\n"
          "    case $place in\n",
          out);
    each_place(out, zsh_place);
    fputs("    esac\n"
          "}\n"
          /* as a file in $fpath it is the function's body, else it says whose it is */
          "if [ \"$funcstack[1]\" = _arc ]; then _arc \"$@\"; else compdef _arc arc; fi\n",
          out);
}

/* ---- fish ---- */

static void fish_place(FILE *out, const arka_verb *verb, int sub)
{
    arka_option options[ARKA_VERB_OPTIONS];
    int n = arka_verb_options(verb, sub, options);
    for (int i = 0; i < n; i++) {
        char words[256];
        const arka_option *o = &options[i];
        fprintf(out, "complete -c arc -n '__fish_seen_subcommand_from %s", verb->name);
        if (sub >= 0)
            fprintf(out, "; and __fish_seen_subcommand_from %s", verb->subverbs[sub].name);
        fprintf(out, "' -l %s", o->name + 2);
        if (arka_value_words(o->value, words, sizeof words))
            fprintf(out, " -x -a '%s'", words);
        else if (o->value && (strcmp(o->value, "FILE") == 0 || strcmp(o->value, "DIR") == 0))
            fputs(" -r -F", out);
        else if (o->value)
            fputs(" -x", out);
        fputs(" -d '", out);
        put_quoted(out, o->help, "\\");
        fputs("'\n", out);
    }
}

static void fish_word(FILE *out, const char *condition, const char *name, const char *text)
{
    fprintf(out, "complete -c arc -n '%s' -f -a '%s' -d '", condition, name);
    put_quoted(out, text, "\\");
    fputs("'\n", out);
}

static void print_fish(FILE *out)
{
    char condition[600];
    fputs("# fish completion of arc; printed by 'arc completion fish'\n", out);
    for (int i = 0; i < arka_n_verbs; i++) {
        const arka_verb *verb = &arka_verbs[i];
        fish_word(out, "__fish_use_subcommand", verb->name, verb->text);
        fish_word(out, "__fish_seen_subcommand_from help", verb->name, verb->text);
        if (verb->subverbs == NULL)
            continue;
        int n = snprintf(condition, sizeof condition,
                         "__fish_seen_subcommand_from %s; and not __fish_seen_subcommand_from",
                         verb->name);
        for (const arka_subverb *s = verb->subverbs; s->name && n < (int)sizeof condition; s++)
            n += snprintf(condition + n, sizeof condition - (size_t)n, " %s", s->name);
        for (const arka_subverb *s = verb->subverbs; s->name; s++)
            fish_word(out, condition, s->name, s->text);
    }
    fish_word(out, "__fish_seen_subcommand_from help", "settings", "what a server can be told");
    fputs("complete -c arc -l help -d 'explain it'\n"
          "complete -c arc -n '__fish_use_subcommand' -l version -d 'print the version'\n"
          "complete -c arc -n '__fish_seen_subcommand_from help' -l man -d 'the manual page'\n",
          out);
    each_place(out, fish_place);
}

int arka_completion_main(int argc, char **argv)
{
    static void (*const PRINT[])(FILE * out) = {print_bash, print_zsh, print_fish};
    for (int i = 0; argc == 1 && arka_completion_subverbs[i].name; i++) {
        if (strcmp(argv[0], arka_completion_subverbs[i].name) == 0) {
            PRINT[i](stdout);
            return ARKA_EXIT_OK;
        }
    }
    fprintf(stderr, "arc completion: expected bash, zsh or fish%s%s\n", argc > 0 ? ", found " : "",
            argc > 0 ? argv[argc > 1] : "");
    return ARKA_EXIT_USAGE;
}
