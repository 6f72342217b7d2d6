/*
 * The manual page, made of the verbs' data and of what their help says: its prose is filled, what
 * it shows indented stays as it is, and the options come from their list.
 */
#include <stdlib.h>
#include <string.h>

#include "base/mem.h"
#include "cli/verbs.h"
#include "config/settings.h"

enum { WIDTH = 72 };

/* How a sign is written that man(7) would take for something else; NULL: as it is. */
static const char *escape_of(char c)
{
    static const struct {
        char sign;
        const char *text;
    } ESCAPES[] = {{'\\', "\\e"},  {'-', "\\-"},   {'~', "\\(ti"},
                   {'^', "\\(ha"}, {'`', "\\(ga"}, {'\'', "\\(aq"}};
    for (size_t i = 0; i < sizeof ESCAPES / sizeof *ESCAPES; i++)
        if (ESCAPES[i].sign == c)
            return ESCAPES[i].text;
    return NULL;
}

/* How many bytes a word takes. */
static int width_of(const char *word, size_t n)
{
    int width = 0;
    for (size_t i = 0; i < n; i++)
        width += escape_of(word[i]) ? (int)strlen(escape_of(word[i])) : 1;
    return width;
}

static void put_word(FILE *out, const char *word, size_t n, bool first)
{
    if (first && n > 0 && *word == '.')
        fputs("\\&", out);
    for (size_t i = 0; i < n; i++) {
        if (escape_of(word[i]))
            fputs(escape_of(word[i]), out);
        else
            fputc(word[i], out);
    }
}

/* Words, broken into lines that are not long; `*column` goes on from a line that was begun. */
static void put_prose(FILE *out, const char *text, size_t len, int *column)
{
    while (len > 0) {
        size_t blanks = strspn(text, " ");
        blanks = blanks < len ? blanks : len;
        text += blanks;
        len -= blanks;
        size_t n = strcspn(text, " \n");
        n = n < len ? n : len;
        if (n == 0)
            break;
        if (*column > 0 && *column + width_of(text, n) > WIDTH) {
            fputc('\n', out);
            *column = 0;
        } else if (*column > 0) {
            fputc(' ', out);
            *column += 1;
        }
        put_word(out, text, n, *column == 0);
        *column += width_of(text, n);
        text += n;
        len -= n;
    }
}

static void end_line(FILE *out, int *column)
{
    if (*column > 0)
        fputc('\n', out);
    *column = 0;
}

static void put_paragraph(FILE *out, const char *text)
{
    int column = 0;
    put_prose(out, text, strlen(text), &column);
    end_line(out, &column);
}

static void put_options(FILE *out, const arka_verb *verb, int sub)
{
    arka_option options[ARKA_VERB_OPTIONS];
    int n = arka_verb_options(verb, sub, options);
    for (int i = 0; i < n; i++) {
        fputs(".TP\n.B ", out);
        put_word(out, options[i].name, strlen(options[i].name), false);
        if (options[i].value) {
            fputs("\\fR ", out);
            put_word(out, options[i].value, strlen(options[i].value), false);
        }
        fputc('\n', out);
        put_paragraph(out, options[i].help);
    }
}

/* ---- a verb's help ---- */

typedef struct page {
    FILE *out;
    int column;
    bool shown;  /* inside of lines that stay as they are */
    bool parted; /* a paragraph is to begin */
    bool listed; /* the options are there */
} page;

static void show(page *p, bool shown)
{
    if (p->shown == shown)
        return;
    end_line(p->out, &p->column);
    if (shown && p->parted)
        fputs(".PP\n", p->out);
    fputs(shown ? ".RS 4\n.nf\n" : ".fi\n.RE\n", p->out);
    p->shown = shown;
    p->parted = !shown && p->parted;
}

static void put_help_line(page *p, const arka_verb *verb, const char *line, size_t n)
{
    bool option = n > 4 && strncmp(line, "  --", 4) == 0;
    bool indented = n > 2 && line[0] == ' ' && line[1] == ' ';
    bool usage = n > 6 && strncmp(line, "Usage:", 6) == 0;
    if (n == 0) {
        show(p, false);
        end_line(p->out, &p->column);
        p->parted = true;
    } else if (option) {
        show(p, false);
        end_line(p->out, &p->column);
        if (!p->listed)
            put_options(p->out, verb, -1);
        p->listed = p->parted = true;
    } else if (p->listed && n > 24 && strspn(line, " ") >= 24) {
        /* the rest of an option */
    } else if (indented || usage) {
        show(p, true);
        put_word(p->out, line, n, true);
        fputc('\n', p->out);
    } else {
        show(p, false);
        if (p->parted)
            fputs(".PP\n", p->out);
        p->parted = false;
        put_prose(p->out, line, n, &p->column);
    }
}

static void put_verb(FILE *out, const arka_verb *verb)
{
    char *help = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&help, &n);
    if (memory == NULL)
        return;
    verb->help(memory);
    fclose(memory);
    fprintf(out, ".SS arc %s\n", verb->name);
    page p = {.out = out};
    /* subverbs with options of their own have a part of the help each, which the list replaces */
    const char *end = verb->subverbs ? strstr(help, "\narc ") : NULL;
    const char *rest = end ? strstr(end, "\n\nEach ") : NULL;
    for (const char *line = help; *line;) {
        if (line == end + 1 && end != NULL) {
            show(&p, false);
            end_line(out, &p.column);
            put_options(out, verb, -1);
            p.listed = p.parted = true;
            line = rest ? rest + 2 : help + n;
            continue;
        }
        size_t len = strcspn(line, "\n");
        put_help_line(&p, verb, line, len);
        line += len + (line[len] == '\n');
    }
    show(&p, false);
    end_line(out, &p.column);
    arka_free(help);
}

/* ---- the page ---- */

static void put_settings(FILE *out)
{
    for (int i = 0; i < ARKA_N_SETTINGS; i++) {
        const arka_setting_info *info = &arka_setting_infos[i];
        int column = 0;
        fputs(".TP\n.B ", out);
        put_word(out, info->key, strlen(info->key), false);
        if (*info->standard) {
            fputs("\\fR = ", out);
            put_word(out, info->standard, strlen(info->standard), false);
        }
        fputc('\n', out);
        put_prose(out, info->help, strlen(info->help), &column);
        end_line(out, &column);
    }
}

void arka_man_page(FILE *out)
{
    fputs(".\\\" Made by 'arc help --man'.\n"
          ".TH ARC 1 \"" ARC_RELEASED "\" \"arc " ARC_VERSION "\" \"Arc\"\n"
          ".SH NAME\n"
          "arc \\- time\\-series database that keeps its tables as open Parquet\n"
          ".SH SYNOPSIS\n"
          ".B arc\n"
          ".I verb\n"
          ".RI [ options ]\n"
          ".SH DESCRIPTION\n",
          out);
    put_paragraph(out,
                  "Arc takes measurements over HTTP, keeps them as Parquet files that any tool "
                  "can read, and answers SQL over the newest row and the oldest file in one "
                  "query. It speaks InfluxDB's line protocol and MessagePack. A write that was "
                  "acknowledged is in the log, synced, and visible to the next query.");
    fputs(".SH VERBS\n", out);
    for (int i = 0; i < arka_n_verbs; i++)
        put_verb(out, &arka_verbs[i]);
    fputs(".SH SETTINGS\n", out);
    put_paragraph(out, "Of the server, in a TOML file as [table] and key; or in the environment as "
                       "ARC_ and the key in capitals, with _ for its dots. An option of arc serve "
                       "counts more than the environment, that more than the file.");
    put_settings(out);
    fputs(".SH ENVIRONMENT\n.TP\n.B ARC_CONFIG_FILE\n", out);
    put_paragraph(out, "The server's settings file.");
    fputs(".TP\n.BR ARC_URL \", \" ARC_TOKEN\n", out);
    put_paragraph(out, "The server and the credential of the verbs that talk to one.");
    fputs(".TP\n.BR NOTIFY_SOCKET \", \" WATCHDOG_USEC\n", out);
    put_paragraph(out, "Set by systemd: who is told that the server is ready, alive, reloading and "
                       "stopping.");
    fputs(".SH FILES\n.TP\n.I /etc/arc/arc.conf\n", out);
    put_paragraph(out, "Settings of the service that the Debian package installs.");
    fputs(".TP\n.I /var/lib/arc\n", out);
    put_paragraph(out, "Its data. Removing the package keeps it.");
    fputs(".SH EXIT STATUS\n", out);
    put_paragraph(out, "0: done. 1: failed. 2: called wrongly. 3: what was looked at is damaged. "
                       "78: the configuration is bad.");
    fputs(".SH SIGNALS\n", out);
    put_paragraph(out, "SIGTERM and SIGINT stop a server in peace, a second one ends it at once. "
                       "SIGHUP lets it read its settings again.");
    fputs(".SH SEE ALSO\n.BR systemd.service (5),\n.BR journalctl (1)\n", out);
}
