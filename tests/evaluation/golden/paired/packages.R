# The same counts through packages that Linux distributions do not carry. Run in this folder after golden.R:
# Rscript packages.R
suppressPackageStartupMessages({library(DTComPair); library(PropCIs); library(exact2x2); library(clust.bin.pair)})
options(digits = 17)
save_csv <- function(frame, file) write.csv(format(frame, digits = 17, trim = TRUE), file, row.names = FALSE, quote = FALSE)

# ---- exact2x2: exact and mid-p McNemar -----------------------------------------------------------------------------
counts <- read.csv("mcnemar.csv")[, c("only_first", "only_second")]
p_value <- function(b, c, midp) exact2x2(matrix(c(5, b, c, 5), 2), paired = TRUE, midp = midp)$p.value
save_csv(cbind(counts, exact = mapply(p_value, counts$only_first, counts$only_second, FALSE),
  mid_p = mapply(p_value, counts$only_first, counts$only_second, TRUE)), "exact2x2.csv")

# ---- clust.bin.pair: Durkalski ----------------------------------------------------------------------------------------
cases <- read.csv("cases.csv")
save_csv(do.call(rbind, lapply(split(cases, cases[, c("set", "label")], drop = TRUE), function(one) {
  class <- one$label[1]; first <- one$first == class; second <- one$second == class
  per_patient <- function(which) as.vector(tapply(which, one$patient, sum))
  test <- clust.bin.pair(per_patient(first & second), per_patient(first & !second), per_patient(!first & second),
    per_patient(!first & !second), method = "durkalski")
  data.frame(set = one$set[1], class = class, statistic = unname(test$statistic), p = test$p.value)
})), "clust_bin_pair.csv")

# ---- PropCIs: Tango, to the 1e-6 of its stopping rule; its difference is the second proportion minus the first ------
tables <- read.csv("tango.csv")[, c("only_first", "only_second", "total")]
bounds <- t(mapply(function(b, c, n) scoreci.mp(c, b, n, .95)$conf.int, tables$only_first, tables$only_second, tables$total))
save_csv(cbind(tables, low = bounds[, 1], high = bounds[, 2]), "propcis.csv")

# ---- DTComPair: predictive values; its test 1 is our second model, because it reports test 2 / test 1 -------------------
groups <- read.csv("tables.csv")
save_csv(do.call(rbind, lapply(split(groups$count, groups$set), function(n) {
  # read.tab.paired: a both positive, b only test 2, c only test 1, d neither
  table <- read.tab.paired(d.a = n[8], d.b = n[7], d.c = n[6], d.d = n[5], nd.a = n[4], nd.b = n[3], nd.c = n[2], nd.d = n[1])
  gs <- pv.gs(table); wgs <- pv.wgs(table); rpv <- pv.rpv(table)
  set <- names(which(sapply(split(groups$count, groups$set), identical, n)))
  one <- function(value) data.frame(set = set, value = value, first = gs[[value]][["test2"]], second = gs[[value]][["test1"]],
    generalized = gs[[value]][["test.statistic"]], weighted = wgs[[value]][["test.statistic"]], relative = rpv[[value]][[3]],
    low = rpv[[value]][[5]], high = rpv[[value]][[6]], z = rpv[[value]][["test.statistic"]],
    p_generalized = gs[[value]][["p.value"]], p_weighted = wgs[[value]][["p.value"]], p_relative = rpv[[value]][["p.value"]])
  rbind(one("ppv"), one("npv"))
})), "dtcompair.csv")

writeLines(c(R.version.string, paste(c("DTComPair", "PropCIs", "exact2x2", "clust.bin.pair"),
  sapply(c("DTComPair", "PropCIs", "exact2x2", "clust.bin.pair"), function(p) as.character(packageVersion(p))))), "versions.txt")
